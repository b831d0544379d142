"""What one job costs a worker that is warm: the slope between a small run and a large one.

Whatever a run costs once (waking up, the first and the last batch, looking at an empty queue) is in
both runs and falls out of their difference; start-up lies before them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from Benchmarks import rounds
from Benchmarks.contenders import ROOT, Contender, backhaul_command, database
from Benchmarks.guard.allocations import Allocations
from Benchmarks.guard.calls import Calls
from Benchmarks.messages import Template
from demo.sandbox import Sandbox

CONCURRENCY = 128
BATCH = 128
WARM_UP = 10_000  # jobs before the first that are counted
SMALL = 5_000
LARGE = 25_000
WATCHED = 15_000  # the large run of those that are watched by MONITOR
TASK = "backhaul.ping"
_DATABASE = 7
_START_LIMIT = 30.0  # seconds
_SETTLE = 0.1  # seconds the worker is given after the last job, before the counters are read


@dataclass(frozen=True)
class Reading:
    """The counters at one moment."""

    allocations: int
    bytes: int

    def since(self, earlier: Reading) -> Reading:
        return Reading(
            self.allocations - earlier.allocations,
            self.bytes - earlier.bytes,
        )


@dataclass(frozen=True)
class PerJob:
    """What one job costs, of each."""

    allocations: float
    bytes: float

    @classmethod
    def slope(cls, small: Reading, large: Reading, jobs: int) -> PerJob:
        step = large.since(small)
        return cls(step.allocations / jobs, step.bytes / jobs)


class CountedWorker:
    """A worker process whose allocations are counted, and the Redis it works on."""

    def __init__(self, contender: Contender, allocations: Allocations) -> None:
        self.contender = contender
        self.allocations = allocations
        self._templates: dict[bool, Template] = {}

    @classmethod
    @contextmanager
    def started(
        cls, sandbox: Sandbox, binary: Path, *, samples: int = 0
    ) -> Iterator[CountedWorker]:
        url = database(sandbox.redis_url, _DATABASE)
        allocations = Allocations(sandbox.directory, samples=samples)
        child = sandbox.spawn(
            "guard",
            backhaul_command(binary, CONCURRENCY, BATCH),
            directory=ROOT,
            environment={
                "REDIS_URL": url,
                "DATABASE_URL": sandbox.database_url,
                **allocations.environment(),
            },
        )
        child.wait_until(lambda: allocations.counting, within=_START_LIMIT, what="counting")
        with redis.Redis.from_url(url) as client:
            settings = f"concurrency {CONCURRENCY}, batches of {BATCH}"
            yield cls(
                Contender("Backhaul", settings, TASK, "bench", url, child, LARGE, client),
                allocations,
            )
        child.stop()

    def warm(self, *, results: bool) -> None:
        self.run(WARM_UP, results=results)

    def per_job(self, *, results: bool) -> PerJob:
        """One slope; the worker must be warm."""
        return PerJob.slope(
            self.run(SMALL, results=results), self.run(LARGE, results=results), LARGE - SMALL
        )

    def run(self, jobs: int, *, results: bool) -> Reading:
        """What `jobs` jobs cost together, from the full queue until all are settled."""
        if results not in self._templates:
            self._templates[results] = Template.captured(
                self.contender.url, TASK, ignore_result=not results
            )
        before = self._reading()
        rounds.run(self.contender, self._templates[results], jobs, results=results)
        time.sleep(_SETTLE)
        cost = self._reading().since(before)
        if results:
            rounds.check_results(self.contender, jobs)
        check_nothing_buried(self.contender)
        return cost

    def calls_per_job(self, *, results: bool) -> dict[str, float]:
        """The slope of each kind of call to Redis. Watching slows Redis down: a run of its own."""
        totals = []
        for jobs in (SMALL, WATCHED):
            calls = Calls(self.contender.client)
            with calls.watched():
                self.run(jobs, results=results)
            totals.append(calls.for_jobs())
        small, large = totals
        return {
            name: (large.get(name, 0) - small.get(name, 0)) / (WATCHED - SMALL)
            for name in sorted(small | large)
        }

    def _reading(self) -> Reading:
        return Reading(self.allocations.calls, self.allocations.bytes)


def check_nothing_buried(contender: Contender) -> None:
    """A queue can also be emptied by refusing its messages; that would not count."""
    buried = sum(
        int(contender.client.zcard(f"backhaul:{grave}")) for grave in ("dead", "quarantine")
    )
    if buried:
        raise rounds.RoundFailure(f"{buried} messages were refused:\n{contender.child.tail()}")
