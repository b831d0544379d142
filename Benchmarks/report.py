"""What a run leaves behind: tables on the terminal, one JSON document, two plots."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from Benchmarks import plot
from Benchmarks.contenders import ROOT
from Benchmarks.options import Options
from Benchmarks.part import Goal
from Benchmarks.parts import Measured

_MEASURE = 46  # columns
RESULTS = ROOT / "Benchmarks" / "results"


def print_facts(facts: Mapping[str, str], options: Options) -> None:
    for name, value in facts.items():
        print(
            textwrap.fill(
                value, 98, initial_indent=f"  {name:<11}", subsequent_indent=" " * 13,
                break_on_hyphens=False,
            )
        )
    form = "quick: an impression, not figures to quote" if options.quick else "full"
    print(f"  {'form':<11}{form}; {options.rounds} rounds")


def print_part(measured: Measured) -> None:
    title = measured.part.title if measured.part else measured.name
    print(f"\n  {title}  ({measured.seconds:.0f} s)\n")
    if measured.part is None:
        print(textwrap.indent(f"NOT MEASURED: {measured.failure}", "    "))
        return
    for line in measured.part.lines:
        print(f"    {line}".rstrip())


def print_goals(goals: Sequence[Goal]) -> None:
    """The end of every run: goal, measured, reached or not."""
    wide, narrow = (
        max((len(getattr(goal, column)) for goal in goals), default=0)
        for column in ("goal", "measured")
    )
    print("\n  Goals\n")
    for goal in goals:
        *above, last = textwrap.wrap(goal.measure, _MEASURE) or [""]
        for line in above:
            print(f"    {line}")
        verdict = "reached" if goal.reached else "NOT reached"
        print(f"    {last:<{_MEASURE}} {goal.goal:<{wide}}  {goal.measured:<{narrow}}  {verdict}")
    reached = sum(goal.reached for goal in goals)
    print(f"\n    {reached} of {len(goals)} reached")


def save(
    facts: Mapping[str, str], options: Options, measured: Sequence[Measured]
) -> list[Path]:
    """Writes JSON and plots; returns what was written."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": dict(facts),
        "options": {"quick": options.quick, "rounds": options.rounds},
        "parts": {each.name: _entry(each) for each in measured},
    }
    written = [RESULTS / "latest.json"]
    written[0].write_text(json.dumps(document, indent=2, default=str) + "\n")
    form = ", quick form" if options.quick else ""
    note = f"{facts['when'][:10]}, {facts['machine']}{form}, medians of {options.rounds} rounds"
    for name, drawn in _plots(measured, note).items():
        path = RESULTS / f"{name}.svg"
        path.write_text(drawn)
        written.append(path)
    return written


def _entry(measured: Measured) -> dict[str, Any]:
    entry: dict[str, Any] = {"seconds": round(measured.seconds, 1)}
    if measured.part is None:
        return {**entry, "failure": measured.failure}
    return {
        **entry,
        "title": measured.part.title,
        "goals": [asdict(goal) for goal in measured.part.goals],
        **measured.part.record,
    }


def _plots(measured: Sequence[Measured], note: str) -> dict[str, str]:
    records = {each.name: each.part.record for each in measured if each.part is not None}
    drawn = {}
    if "drain" in records:
        drawn["throughput"] = plot.throughput(records["drain"], note)
    if "latency" in records:
        drawn["latency"] = plot.latency(records["latency"], note)
    return drawn
