"""How many no-op jobs a second come off a full queue: Backhaul, its peers, and the floor.

All read from the same private Redis, in turn, in several rounds, messages that their own clients
wrote; Backhaul those of Python Celery. A round is as many messages as take a contender a few
seconds. Backhaul always keeps its whole guarantee: atomic reserve, lease, late settle, attempts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from Benchmarks import lineup
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.progress import show_progress
from Benchmarks.rounds import Ratio, Round, Summary
from Benchmarks.turns import Discipline, FloorTurn, Turn, WorkerTurn, sized
from demo.sandbox import Sandbox

BACKHAUL, TWICE = "Backhaul, 1 process", "Backhaul, 2 processes"
CELERY, FLOOR = "Celery prefork", FloorTurn.name
_WIDTH = len(TWICE)
_SECONDS = 2.2  # of one contender's turn
_QUICK_SECONDS = 0.35
_IGNORED = Discipline("ignored", "results ignored")
_STORED = Discipline("stored", "results stored", stores_results=True)
_LARGE = Discipline(
    "large",
    "10 KB of arguments, results ignored",
    arguments={"values": ["x" * 10_240]},
    most=25_000,
)

Outcome = Mapping[str, Summary]


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    entrants, missing = lineup.peers(options.peers)
    entrants = [lineup.backhaul(binary), lineup.backhaul(binary, 2), *entrants]
    show_progress("drain: starting all workers")
    workers = [WorkerTurn(sandbox, each, number) for number, each in enumerate(entrants, start=1)]
    idle = {each.name: each.idle_megabytes() for each in workers}
    floor = FloorTurn(sandbox, len(workers) + 1, "backhaul.ping", options.work)
    field: list[Turn] = [*workers, floor]
    ours, theirs = (each for each in field if each.name in (BACKHAUL, CELERY))
    ignored = _compare(_IGNORED, field, options)
    stored = _compare(_STORED, [ours, theirs, floor], options)
    given = WorkerTurn(sandbox, lineup.backhaul_with_arguments(binary), len(field) + 1)
    large = _compare(_LARGE, [given, theirs, floor], options)
    show_progress("drain: ending all workers, comparing their counts")
    for each in [*field, given]:
        each.finish()
    show_progress("")
    part = Part("Drain: no-op jobs from a full queue")
    for discipline, outcome in ((_IGNORED, ignored), (_STORED, stored), (_LARGE, large)):
        part.lines += [*_table(discipline, outcome, idle), ""]
        part.record[discipline.name] = _record(outcome)
    part.lines += [f"{each.name:<{_WIDTH}} {each.settings}" for each in field] + missing
    part.record["settings"] = {each.name: each.settings for each in field}
    part.record["idle_megabytes"] = {name: round(size, 1) for name, size in idle.items()}
    part.goals = _goals(ignored, stored)
    part.record["ratios"] = {
        f"{discipline}, {name}": asdict(ratio)
        for discipline, outcome in (("ignored", ignored), ("stored", stored), ("large", large))
        for name, ratio in _ratios(outcome).items()
    }
    return part


def _compare(discipline: Discipline, field: Sequence[Turn], options: Options) -> Outcome:
    """All rounds of one discipline, the contenders taking turns."""
    seconds = _QUICK_SECONDS if options.quick else _SECONDS
    sizes = {}
    for each in field:
        show_progress(f"drain, {discipline.title}: how fast is {each.name}?")
        each.prepare(discipline)
        sizes[each.name] = sized(each, seconds, discipline.most)
    played: dict[str, list[Round]] = {each.name: [] for each in field}
    for number in range(1, options.rounds + 1):
        for each in field:
            done = each.play(sizes[each.name])
            played[each.name].append(done)
            show_progress(
                f"drain, {discipline.title}: round {number}/{options.rounds}  "
                f"{each.name} {done.rate:,.0f}/s"
            )
    return {name: Summary(each) for name, each in played.items()}


def _rates(summary: Summary) -> list[float]:
    return [each.rate for each in summary.rounds]


def _cpu(summary: Summary) -> list[float]:
    return [max(each.cpu_microseconds, 0.01) for each in summary.rounds]


def _ratios(outcome: Outcome) -> dict[str, Ratio]:
    """Backhaul's one process against every other, by rate."""
    ours = _rates(outcome[BACKHAUL])
    return {
        name: Ratio.between(ours, _rates(summary))
        for name, summary in outcome.items()
        if name != BACKHAUL
    }


def _table(discipline: Discipline, outcome: Outcome, idle: Mapping[str, float]) -> list[str]:
    lines = [
        discipline.title,
        f"{'':<{_WIDTH}}{'jobs/s':>8}{'lowest':>8}{'highest':>8}{'CPU s/1000 jobs':>18}"
        f"{'idle':>6}   Backhaul, 1 process,",
        f"{'':<{_WIDTH}}{'median':>8}{'':>8}{'':>8}{'worker':>10}{'Redis':>8}{'MB':>6}"
        f"   is faster by",
    ]
    ratios = _ratios(outcome)
    for name, summary in outcome.items():
        low, high = summary.spread
        worker, server = summary.cpu_microseconds / 1000, summary.redis_cpu_microseconds / 1000
        size = f"{idle[name]:,.0f}" if name in idle else "–"
        lines.append(
            f"{name:<{_WIDTH}}{summary.rate:>8,.0f}{low:>8,.0f}{high:>8,.0f}"
            f"{worker:>10.4f}{server:>8.4f}{size:>6}   {ratios.get(name, '')}".rstrip()
        )
    return lines


def _record(outcome: Outcome) -> dict[str, Any]:
    return {
        name: {
            "jobs_per_second": round(summary.rate, 1),
            "lowest": round(summary.spread[0], 1),
            "highest": round(summary.spread[1], 1),
            "cpu_seconds_per_1000_jobs": round(summary.cpu_microseconds / 1000, 5),
            "redis_cpu_seconds_per_1000_jobs": round(summary.redis_cpu_microseconds / 1000, 5),
            "rounds": [asdict(each) for each in summary.rounds],
        }
        for name, summary in outcome.items()
    }


def _goals(ignored: Outcome, stored: Outcome) -> list[Goal]:
    ratios = _ratios(ignored)
    peers = {name: ignored[name].rate for name in ignored if name not in (BACKHAUL, TWICE, FLOOR)}
    fastest = max(peers, key=lambda name: peers[name])
    with_results = _ratios(stored)[CELERY]
    cpu = Ratio.between(_cpu(ignored[CELERY]), _cpu(ignored[BACKHAUL]))
    return [
        Goal(
            "drain, results ignored, against Celery prefork",
            "≥ 100 ×", str(ratios[CELERY]), ratios[CELERY].median >= 100,
        ),
        Goal(
            f"drain, against the fastest peer here ({fastest})",
            "≥ 5 ×", str(ratios[fastest]), ratios[fastest].median >= 5,
        ),
        Goal(
            "drain, against the floor in C",
            "≥ 0.8 ×", str(ratios[FLOOR]), ratios[FLOOR].median >= 0.8,
        ),
        Goal(
            "drain, results stored, against Celery prefork",
            "≥ 60 ×", str(with_results), with_results.median >= 60,
        ),
        Goal(
            "CPU per job of the worker: Celery's as a multiple",
            "≥ 20 ×", str(cpu), cpu.median >= 20,
        ),
    ]
