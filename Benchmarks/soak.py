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
from demo.sandbox import Sandbox

IDLE_LIMIT = 45.0  # MiB, the goal
GROWTH_LIMIT = 1.3  # after all jobs, as a multiple of that after the first portion
FIRST = 10_000
PORTION = 100_000
_SETTLE = 3.0  # seconds an idle worker is given before it is looked at
_DATABASE = 5


@dataclass(frozen=True)
class Soak:
    """What one worker occupied, MiB."""

    jobs: int
    idle: float
    after_first: float
    after_all: float
    highest: float

    @property
    def growth(self) -> float:
        return self.after_all / self.after_first

    @property
    def reached(self) -> bool:
        return self.idle <= IDLE_LIMIT and self.growth <= GROWTH_LIMIT

    def lines(self) -> list[str]:
        return [
            f"idle {self.idle:.1f} MiB (goal {IDLE_LIMIT:g}), "
            f"after {FIRST:,} jobs {self.after_first:.1f}, "
            f"after {self.jobs:,} {self.after_all:.1f}: "
            f"{self.growth:.2f} times (goal {GROWTH_LIMIT:g}); highest {self.highest:.1f}",
            "reached" if self.reached else "NOT reached",
        ]

    def as_record(self) -> dict[str, float | bool]:
        return {**asdict(self), "growth": round(self.growth, 3), "reached": self.reached}


def resident(pid: int, field: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise rounds.RoundFailure(f"process {pid} has no {field}")


def run(sandbox: Sandbox, binary: Path, jobs: int) -> Soak:
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
    idle = resident(child.pid)
    rounds.run(worker, template, FIRST, results=False)
    after_first = resident(child.pid)
    done = FIRST
    while done < jobs:
        portion = min(PORTION, jobs - done)
        rounds.run(worker, template, portion, results=False)
        done += portion
    return Soak(done, idle, after_first, resident(child.pid), resident(child.pid, "VmHWM"))
