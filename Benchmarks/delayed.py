"""A million delayed jobs: how fast they are put aside and promoted, and what they occupy.

One worker with its default settings runs all the while. All jobs are due in one moment, which lies
behind the last of them being put aside: so the promoter is late by a million, and catches up while
the same worker empties the queue.
"""

from __future__ import annotations

import math
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import redis

from Benchmarks import rounds
from Benchmarks.contenders import ROOT, Contender, database
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.progress import show_progress
from Benchmarks.soak import resident
from demo.children import neutral_environment
from demo.sandbox import Sandbox

PROMOTION_GOAL = 20_000.0  # jobs a second, while a worker runs them
MEMORY_GOAL = 5.0  # MiB by which a worker may grow
_JOBS, _QUICK_JOBS = 1_000_000, 50_000
_TASK = "backhaul.ping"
_QUEUE = "celery"  # what `backhaul enqueue` takes for this task
_DATABASE = 6
_SETTLE = 3.0  # seconds an idle worker is given before it is looked at
_SAMPLE = 20  # a portion so many times smaller comes first, to guess how long the rest takes
_MARGIN = 1.5  # by which that guess may be wrong
_POLL = 0.05
_LIMIT = 300.0


@dataclass(frozen=True)
class Delayed:
    """What it took."""

    jobs: int
    enqueued_per_second: float
    promoted_per_second: float
    ran_per_second: float  # from the due time until the last job had run
    bytes_per_job: float  # of Redis
    worker_before: float  # MiB, nothing delayed
    worker_after: float  # MiB, all of them delayed
    slowest_step: float  # ms, of the promoter, by the clock; those below 1 ms are not seen

    @property
    def growth(self) -> float:
        return self.worker_after - self.worker_before

    def part(self) -> Part:
        return Part(
            f"Delayed jobs: {self.jobs:,} due at once, one worker process, default settings",
            [
                f"put aside {self.enqueued_per_second:,.0f}/s by one `backhaul enqueue`; "
                f"{self.bytes_per_job:,.0f} bytes of Redis for each",
                f"promoted {self.promoted_per_second:,.0f}/s while a worker ran "
                f"{self.ran_per_second:,.0f}/s of them; slowest step {self.slowest_step:.1f} ms",
                f"worker {self.worker_before:.1f} MiB with 0 delayed, "
                f"{self.worker_after:.1f} with {self.jobs:,}",
            ],
            {**asdict(self), "growth": round(self.growth, 3)},
            [
                Goal(
                    "delayed jobs promoted while a worker runs them",
                    f"≥ {PROMOTION_GOAL:,.0f}/s", f"{self.promoted_per_second:,.0f}/s",
                    self.promoted_per_second >= PROMOTION_GOAL,
                ),
                Goal(
                    f"growth of a worker by {self.jobs:,} delayed jobs",
                    f"≤ {MEMORY_GOAL:g} MiB", f"{self.growth:.1f} MiB",
                    self.growth <= MEMORY_GOAL,
                ),
            ],
        )


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    return measure(sandbox, binary, _QUICK_JOBS if options.quick else _JOBS).part()


def measure(sandbox: Sandbox, binary: Path, jobs: int) -> Delayed:
    url = database(sandbox.redis_url, _DATABASE)
    client = redis.Redis.from_url(url)
    client.flushdb()
    worker = sandbox.spawn(
        "delayed",
        [os.fspath(binary), "worker", "--queues", _QUEUE, "--log-level", "warning"],
        directory=ROOT,
        environment={"REDIS_URL": url, "DATABASE_URL": sandbox.database_url},
    )
    field = Contender("Backhaul", "defaults", _TASK, _QUEUE, url, worker, jobs, client)
    # A portion that runs at once and one that waits: buffers that stay are filled, and the rate of
    # enqueueing is known well enough to choose a due time.
    _enqueue(binary, url, jobs // _SAMPLE, 0)
    _drained(field, time.time())
    sample = _enqueue(binary, url, jobs // _SAMPLE, 3600)
    client.delete("backhaul:delayed", "backhaul:delayed:messages")
    time.sleep(_SETTLE)
    before, used = resident(worker.pid), _used(client)
    countdown = math.ceil(sample * _SAMPLE * _MARGIN + _SETTLE + 2)
    due = time.time() + countdown
    show_progress(f"delayed: putting {jobs:,} jobs aside, due in {countdown} s")
    seconds = _enqueue(binary, url, jobs, countdown)
    time.sleep(_SETTLE)
    waiting = int(client.zcard("backhaul:delayed"))
    if waiting != jobs:
        raise rounds.RoundFailure(
            f"{waiting:,} of {jobs:,} jobs waited; enqueueing took {seconds:.0f} s, "
            f"more than was foreseen ({countdown} s)"
        )
    after, memory = resident(worker.pid), _used(client) - used
    slower_than = client.config_get("slowlog-log-slower-than")
    client.config_set("slowlog-log-slower-than", 1000)
    client.config_set("slowlog-max-len", 4096)
    client.slowlog_reset()
    show_progress(f"delayed: {jobs:,} jobs become due and are run")
    promoted, ran = _drained(field, due)
    slowest = max(
        (
            entry["duration"] / 1000
            for entry in client.slowlog_get(4096)
            # The only script whose first keys these are and that is given the turn.
            if b"backhaul:delayed:turn" in entry["command"]
        ),
        default=0.0,
    )
    client.config_set("slowlog-log-slower-than", slower_than["slowlog-log-slower-than"])
    _check(client)
    worker.stop()
    client.flushdb()
    return Delayed(
        jobs=jobs,
        enqueued_per_second=jobs / seconds,
        promoted_per_second=jobs / promoted,
        ran_per_second=jobs / ran,
        bytes_per_job=memory / jobs,
        worker_before=before,
        worker_after=after,
        slowest_step=slowest,
    )


def _enqueue(binary: Path, url: str, count: int, countdown: int) -> float:
    """Has the product's own command enqueue them; returns the seconds it took."""
    command = [os.fspath(binary), "enqueue", _TASK, "--count", str(count)]
    if countdown:
        command += ["--countdown", str(countdown)]
    started = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=_LIMIT,
        env={**neutral_environment(), "REDIS_URL": url},
    )
    return time.perf_counter() - started


def _drained(field: Contender, due: float) -> tuple[float, float]:
    """Seconds from `due` until nothing is delayed any more, and until nothing is left at all."""
    time.sleep(max(due - time.time(), 0))
    promoted = 0.0
    while True:
        now = time.time()
        delayed = int(field.client.zcard("backhaul:delayed"))
        if delayed == 0 and not promoted:
            promoted = now - due
        if delayed == 0 and field.outstanding() == 0:
            return promoted, now - due
        if field.child.exit_status is not None:
            raise rounds.RoundFailure(f"the worker ended:\n{field.child.tail()}")
        if now - due > _LIMIT:
            raise rounds.RoundFailure(f"{delayed:,} still delayed after {_LIMIT:g} s")
        time.sleep(_POLL)


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def _check(client: redis.Redis) -> None:
    """Nothing was refused, and no message lies where no name leads to it."""
    left = int(client.hlen("backhaul:delayed:messages"))
    buried = sum(int(client.zcard(f"backhaul:{grave}")) for grave in ("dead", "quarantine"))
    if left or buried:
        raise rounds.RoundFailure(f"{left} messages were left behind, {buried} buried")
