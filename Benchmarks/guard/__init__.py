"""What one job costs, counted and not timed: a guard that a busy machine cannot mislead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from Benchmarks.guard import instructions, limits
from Benchmarks.guard.slope import BATCH, CONCURRENCY, CountedWorker
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from demo.sandbox import Sandbox

REPETITIONS = 3
ALLOCATIONS_GOAL = 10.0
_RARE = 0.001  # calls a job: fewer are made now and then


@dataclass(frozen=True)
class Counts:
    """All figures, by their names in limits.json, each as often as it was taken."""

    figures: dict[str, list[float]]
    calls: dict[str, float]  # of each kind, a job, results ignored

    def lines(self, verdicts: list[limits.Verdict]) -> list[str]:
        """The table, and how well calls are shared by jobs."""
        shared = ", ".join(
            f"{1 / calls:.0f} jobs a call of {name}"
            for name, calls in self.calls.items()
            if calls > _RARE
        )
        return [
            limits.HEADING,
            *(each.row() for each in verdicts),
            "",
            f"{shared}; concurrency {CONCURRENCY}, batches of {BATCH}",
        ]


def counted(sandbox: Sandbox, binary: Path, repetitions: int) -> Counts:
    """Allocations, their bytes and calls to Redis."""
    figures: dict[str, list[float]] = {}
    calls: dict[str, float] = {}
    with CountedWorker.started(sandbox, binary) as worker:
        for results, suffix in ((False, ""), (True, "_stored")):
            worker.warm(results=results)
            for _ in range(repetitions):
                for name, figure in asdict(worker.per_job(results=results)).items():
                    figures.setdefault(name + suffix, []).append(figure)
            made = worker.calls_per_job(results=results)
            figures["calls" + suffix] = [sum(made.values())]
            calls = calls or made
    return Counts(figures, calls)


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    """The guard as a part of the benchmark; its quick form leaves out callgrind."""
    repetitions = 1 if options.quick else REPETITIONS
    counts = counted(sandbox, binary, repetitions)
    bounds = limits.load()
    if options.quick:
        del bounds["instructions"]
    else:
        counts.figures["instructions"] = instructions.per_job(sandbox, binary, 1)
    verdicts = limits.judged(counts.figures, bounds)
    allocations = next(each.figure for each in verdicts if each.name == "allocations")
    return Part(
        title="What one job costs, counted",
        lines=counts.lines(verdicts),
        record={
            each.name: {"median": each.figure, "each": each.figures, "limit": each.limit}
            for each in verdicts
        },
        goals=[
            Goal(
                measure="allocations per job, envelope to settled",
                goal=f"≤ {ALLOCATIONS_GOAL:g}",
                measured=f"{allocations:.1f}",
                reached=allocations <= ALLOCATIONS_GOAL,
            )
        ],
    )
