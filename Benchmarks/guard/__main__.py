"""Counts what one job costs, and fails when that is more than Benchmarks/limits.json allows."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from Benchmarks import guard, rounds
from Benchmarks.contenders import ROOT
from Benchmarks.guard import Counts, instructions, limits, profile, sites
from Benchmarks.guard.slope import LARGE, CountedWorker
from demo.children import ChildFailure
from demo.sandbox import Sandbox

_SAMPLES = 500_000
_EVERY = 8


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make guard", description=__doc__)
    parser.add_argument("--backhaul", type=Path, default=ROOT / ".build/release/backhaul")
    parser.add_argument("--repetitions", type=int, default=guard.REPETITIONS, metavar="N")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="in the place of the one in limits.json",
    )
    parser.add_argument("--where", action="store_true", help="show where a job allocates instead")
    parser.add_argument("--instructions", action="store_true", help="with --where: these instead")
    parser.add_argument("--stored", action="store_true", help="with --where: results stored")
    parser.add_argument("--top", type=int, default=40, help="with --where: rows of each table")
    parser.add_argument("--depth", type=int, default=5, help="with --where: frames of a stack")
    options = parser.parse_args(given)
    options.backhaul = options.backhaul.resolve()
    return options


@contextmanager
def servers() -> Iterator[Sandbox]:
    with Sandbox("guard") as sandbox:
        sandbox.start_redis(persistent=False)
        sandbox.start_postgres()  # a worker wants one, though the no-op never speaks to it
        yield sandbox


def measured(options: argparse.Namespace) -> Counts:
    instructions.needed("valgrind")  # rather now than after the rest
    with servers() as sandbox:
        counts = guard.counted(sandbox, options.backhaul, options.repetitions)
        counts.figures["instructions"] = instructions.per_job(
            sandbox, options.backhaul, options.repetitions
        )
        return counts


def allocated(options: argparse.Namespace) -> list[str]:
    """Where a job allocates."""
    with (
        servers() as sandbox,
        CountedWorker.started(sandbox, options.backhaul, samples=_SAMPLES) as worker,
    ):
        worker.warm(results=options.stored)
        worker.allocations.sample(_EVERY)
        cost = worker.run(LARGE, results=options.stored)
        worker.allocations.sample(0)
        space = sites.AddressSpace(worker.contender.child.pid)
        stacks = worker.allocations.stacks()
    names = sites.Names(space, {address for stack in stacks for address in stack.frames})
    sampled = sum(each.count for each in stacks.values())
    jobs = sampled / cost.allocations * LARGE  # as many as the samples stand for
    return [
        f"{cost.allocations / LARGE:.2f} allocations and {cost.bytes / LARGE:,.0f} bytes a job",
        "",
        *sites.report(stacks, names, jobs, options.top, options.depth),
    ]


def instructed(options: argparse.Namespace) -> list[str]:
    """Where a job's instructions are."""
    with servers() as sandbox:
        return profile.report(sandbox, options.backhaul, options.top)


def judge(counts: Counts, bounds: Mapping[str, float]) -> int:
    """Prints the table and, for what is over its limit, a line; returns the exit status."""
    verdicts = limits.judged(counts.figures, bounds)
    print()
    for line in counts.lines(verdicts):
        print(f"  {line}".rstrip())
    print(flush=True)
    over = [each for each in verdicts if not each.held]
    for each in over:
        print(f"guard: {each.complaint()}", file=sys.stderr)
    return 1 if over else 0


def main(
    given: Sequence[str] | None = None,
    measure: Callable[[argparse.Namespace], Counts] = measured,
) -> int:
    options = arguments(given)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        bounds = limits.overridden(limits.load(), options.limit)
        if not os.access(options.backhaul, os.X_OK):
            raise ChildFailure(f"no executable {options.backhaul}")
        if options.where:
            for line in instructed(options) if options.instructions else allocated(options):
                print(line)
            return 0
        return judge(measure(options), bounds)
    except KeyboardInterrupt:
        return 130
    except (
        *(ChildFailure, rounds.RoundFailure, limits.LimitError, subprocess.SubprocessError),
        *(redis.RedisError, OSError),
    ) as failure:
        print(f"guard: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
