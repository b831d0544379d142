"""What a run found: one outcome for each scenario, a file, and a table to read."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import celery
import kombu
import redis

from Benchmarks.contenders import output_of
from chaos.books import Tally
from demo.display import Display, Fact
from demo.pace import percentile
from demo.sandbox import postgres_program
from demo.world import ROOT

RESULTS = ROOT / "chaos" / "results" / "latest.json"
_SHOWN_TIMES = 5000  # single recovery times kept in the file


@dataclass
class Check:
    """One thing that must be so."""

    key: str
    label: str
    value: str
    holds: bool


@dataclass
class Outcome:
    """What one scenario did and found."""

    name: str
    seconds: float = 0
    faults: Counter[str] = field(default_factory=Counter)
    tally: Tally | None = None
    repeated: int = 0  # deliveries beyond one: messages taken from the dead
    recognised: int = 0  # repeats of a finished job, settled without running
    late_settles_refused: int = 0
    late_commits_refused: int = 0
    recovery: dict[str, list[float]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    logs: str = ""  # where they are kept, when something is broken

    def check(self, key: str, label: str, value: object, holds: bool) -> bool:
        self.checks.append(Check(key, label, str(value), holds))
        return holds

    @property
    def passed(self) -> bool:
        return not self.error and all(check.holds for check in self.checks)

    def broken(self, key: str) -> bool:
        return any(check.key == key and not check.holds for check in self.checks)

    def document(self) -> dict[str, Any]:
        found = asdict(self)
        found["passed"] = self.passed
        found["faults"] = dict(self.faults)
        found["recovery"] = {
            kind: {**summary(times), "times": [round(t, 2) for t in times[:_SHOWN_TIMES]]}
            for kind, times in self.recovery.items()
            if times
        }
        return found


def summary(times: list[float]) -> dict[str, float]:
    return {
        "count": len(times),
        "p50": round(percentile(times, 0.5), 2),
        "p99": round(percentile(times, 0.99), 2),
        "max": round(max(times), 2),
    }


def versions(binary: Path) -> dict[str, str]:
    """What was tested, and on what."""
    swift = output_of(["swift", "--version"]).splitlines() if shutil.which("swift") else []
    redis_server = output_of(["redis-server", "--version"]).split()
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "backhaul": output_of([os.fspath(binary), "version"]).splitlines()[0],
        "swift": swift[0] if swift else "unknown",
        "redis": next(word[2:] for word in redis_server if word.startswith("v=")),
        "postgres": output_of([os.fspath(postgres_program("postgres")), "--version"]),
        "python": platform.python_version(),
        "celery": f"{celery.__version__}, kombu {kombu.__version__}, redis-py {redis.__version__}",
    }


def show(outcome: Outcome, display: Display) -> None:
    """One scenario's part of the table."""
    facts = [Fact("faults", told(outcome.faults), "")] if outcome.faults else []
    for kind, times in outcome.recovery.items():
        if times:
            found = summary(times)
            value = f"p50 {found['p50']} s, p99 {found['p99']} s, max {found['max']} s"
            facts.append(Fact(f"recovery, {kind}", value, f"{found['count']} times"))
    facts += [Fact(name, str(value), "") for name, value in outcome.facts.items()]
    facts += [Fact(each.label, each.value, "", each.holds) for each in outcome.checks]
    if outcome.error:
        facts.append(Fact("error", outcome.error.splitlines()[0], "", False))
    if facts:
        display.table(facts)


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def conclude(
    outcomes: list[Outcome], seed: int, options: dict[str, Any], facts: dict[str, str],
    seconds: float, display: Display,
) -> bool:
    """Writes the file and the closing table; true when everything held."""
    passed = bool(outcomes) and all(outcome.passed for outcome in outcomes)
    totals = totalled([each for each in outcomes if not each.name.startswith("control")])
    document = {
        "seed": seed,
        "passed": passed,
        "seconds": round(seconds, 1),
        "options": options,
        "versions": facts,
        "totals": totals,
        "scenarios": {outcome.name: outcome.document() for outcome in outcomes},
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2, default=str) + "\n")
    display.heading(f"All together (seed {seed}, {seconds / 60:.1f} min)")
    zero = ("lost", "doubled", "strays")
    display.table(
        [
            *(Fact(name, value, "") for name, value in facts.items()),
            *(
                Fact(
                    name.replace("_", " "),
                    told(value) if isinstance(value, Counter) else f"{value:,}",
                    "",
                    value == 0 if name in zero else None,
                )
                for name, value in totals.items()
            ),
            *(
                Fact(each.name, "as it must be" if each.passed else "BROKEN", "", each.passed)
                for each in outcomes
            ),
        ]
    )
    display.note(f"written to {RESULTS.relative_to(ROOT)}")
    display.note(f"the same faults again: make chaos CHAOS_OPTIONS='--seed {seed}'")
    return passed


def totalled(outcomes: list[Outcome]) -> dict[str, Any]:
    """Sums over all scenarios but the controls, which break on purpose."""
    totals: dict[str, Any] = {"faults": sum((each.faults for each in outcomes), Counter())}
    names = (
        *("accepted", "done", "waiting", "dead", "quarantined"),
        *("lost", "doubled", "strays"),
    )
    tallies = [each.tally for each in outcomes if each.tally is not None]
    for name in names:
        totals[name] = sum(getattr(tally, name) for tally in tallies)
    for name in ("repeated", "recognised", "late_settles_refused", "late_commits_refused"):
        totals[name] = sum(getattr(each, name) for each in outcomes)
    return totals
