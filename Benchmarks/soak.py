"""Resident memory of one worker process: idle, after 10,000 jobs, and after a million."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import redis

from Benchmarks import rounds
from Benchmarks.contenders import ROOT, Contender, database
from Benchmarks.messages import Template
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.progress import show_progress
from demo.sandbox import Sandbox

IDLE_GOAL = 40.0  # MB
AFTER_GOAL = 55.0  # MB, after all jobs
FIRST = 10_000
PORTION = 100_000
_JOBS, _QUICK_JOBS = 1_000_000, 100_000
_SETTLE = 3.0  # seconds an idle worker is given before it is looked at
_DATABASE = 5
_MEGABYTES = 1024 * 1024 / 1e6  # in a MiB


@dataclass(frozen=True)
class Soak:
    """What one worker occupied, MB."""

    jobs: int
    idle: float
    after_first: float
    after_all: float
    highest: float

    def part(self) -> Part:
        return Part(
            "Resident memory of one worker process, default settings",
            [
                f"idle {self.idle:.1f} MB, after {FIRST:,} jobs {self.after_first:.1f}, "
                f"after {self.jobs:,} {self.after_all:.1f}; highest {self.highest:.1f}"
            ],
            asdict(self),
            [
                Goal(
                    "resident memory, idle", f"≤ {IDLE_GOAL:g} MB",
                    f"{self.idle:.1f} MB", self.idle <= IDLE_GOAL,
                ),
                Goal(
                    f"resident memory, after {self.jobs:,} jobs", f"≤ {AFTER_GOAL:g} MB",
                    f"{self.after_all:.1f} MB", self.after_all <= AFTER_GOAL,
                ),
            ],
        )


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    return measure(sandbox, binary, _QUICK_JOBS if options.quick else _JOBS).part()


def resident(pid: int, field: str = "VmRSS") -> float:
    """MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise rounds.RoundFailure(f"process {pid} has no {field}")


def measure(sandbox: Sandbox, binary: Path, jobs: int) -> Soak:
    """A fresh worker with its default settings, fed in portions."""
    url = database(sandbox.redis_url, _DATABASE)
    client = redis.Redis.from_url(url)
    child = sandbox.spawn(
        "soak",
        [os.fspath(binary), "worker", "--queues", "bench", "--log-level", "warning"],
        directory=ROOT,
        environment={"REDIS_URL": url, "DATABASE_URL": sandbox.database_url},
    )
    worker = Contender("Backhaul", "defaults", "backhaul.ping", "bench", url, child, FIRST, client)
    template = Template.captured(url, worker.task, ignore_result=True)
    client.flushdb()
    time.sleep(_SETTLE)
    idle = resident(child.pid) * _MEGABYTES
    rounds.run(worker, template, FIRST, results=False)
    after_first = resident(child.pid) * _MEGABYTES
    done = FIRST
    while done < jobs:
        portion = min(PORTION, jobs - done)
        show_progress(f"soak: {done:,} of {jobs:,} jobs")
        rounds.run(worker, template, portion, results=False)
        done += portion
    now, highest = (resident(child.pid, field) * _MEGABYTES for field in ("VmRSS", "VmHWM"))
    return Soak(done, idle, after_first, now, highest)
