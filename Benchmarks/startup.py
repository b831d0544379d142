"""From exec of a worker to the end of its first job, which waits before the worker is there.

The end is when the job's result arrives at a subscriber: both kinds of worker publish it as they
store it, so nothing is polled, and no result is counted that was not delivered. Each start is on an
empty database; starting the interpreter or linking the program is part of it, as it is in life.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis

from Benchmarks import rounds
from Benchmarks.contenders import ROOT, celery_command, database
from Benchmarks.messages import Template
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from demo.children import Child
from demo.sandbox import Sandbox

GOAL = 150.0  # ms
_DATABASES = {"Backhaul": 8, "Celery": 9}
_LIMIT = 60.0  # seconds after which a start counts as hung


@dataclass
class Starter:
    """One kind of worker, started again and again."""

    name: str
    settings: str
    task: str
    command: Sequence[str]
    url: str
    starts: int
    times: list[float] = field(default_factory=list)  # ms

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def p90(self) -> float:
        return sorted(self.times)[math.ceil(len(self.times) * 0.9) - 1]

    def line(self) -> str:
        return (
            f"{self.name:<10}{self.median:>10,.0f}{self.p90:>10,.0f}{min(self.times):>10,.0f}"
            f"{max(self.times):>10,.0f}{len(self.times):>8}   {self.settings}"
        )


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    backhaul, celery = starters(sandbox, binary, options)
    for number in range(max(backhaul.starts, celery.starts) + 1):
        for starter in (backhaul, celery):
            if number <= starter.starts:
                taken = start(sandbox, starter)
                if number:  # the first one reads the program from disk
                    starter.times.append(taken)
    part = Part("Start to first job, ms")
    part.lines.append(
        f"{'':<10}{'median':>10}{'p90':>10}{'least':>10}{'most':>10}{'starts':>8}   settings"
    )
    part.lines += [starter.line() for starter in (backhaul, celery)]
    part.record = {
        starter.name.lower(): {
            "median_ms": round(starter.median, 1),
            "p90_ms": round(starter.p90, 1),
            "starts_ms": [round(each, 1) for each in starter.times],
        }
        for starter in (backhaul, celery)
    }
    median = backhaul.median
    part.goals.append(
        Goal("start to first job, median", f"≤ {GOAL:g} ms", f"{median:.0f} ms", median <= GOAL)
    )
    return part


def starters(sandbox: Sandbox, binary: Path, options: Options) -> tuple[Starter, Starter]:
    urls = {name: database(sandbox.redis_url, number) for name, number in _DATABASES.items()}
    return (
        Starter(
            "Backhaul",
            "defaults",
            "backhaul.ping",
            [os.fspath(binary), "worker", "--queues", "bench", "--log-level", "warning"],
            urls["Backhaul"],
            5 if options.quick else 15,
        ),
        Starter(
            "Celery",
            "prefork, 2 processes, no gossip, mingle or heartbeat",
            "bench.noop",
            celery_command(2, 64),
            urls["Celery"],
            2 if options.quick else 15,
        ),
    )


def start(sandbox: Sandbox, starter: Starter) -> float:
    """Starts a worker, and ends it when its first job's result is there; returns milliseconds."""
    with redis.Redis.from_url(starter.url) as client:
        template = Template.captured(starter.url, starter.task, ignore_result=False)
        client.flushdb()
        message = next(template.copies(1, "bench"))
        result = f"celery-task-meta-{json.loads(message)['headers']['id']}"
        with client.pubsub(ignore_subscribe_messages=True) as subscriber:
            subscriber.subscribe(result)
            subscriber.get_message(ignore_subscribe_messages=True, timeout=1)
            client.lpush("bench", message)
            started = time.perf_counter()
            worker = sandbox.spawn(
                f"start-{starter.name.lower()}",
                starter.command,
                directory=ROOT,
                environment={
                    "BENCH_REDIS_URL": starter.url,
                    "REDIS_URL": starter.url,
                    "DATABASE_URL": sandbox.database_url,
                },
            )
            heard = subscriber.get_message(ignore_subscribe_messages=True, timeout=_LIMIT)
            taken = time.perf_counter() - started
        try:
            check(starter, worker, heard)
        finally:
            worker.stop()
        return taken * 1000


def check(starter: Starter, worker: Child, heard: dict[str, object] | None) -> None:
    if heard is None:
        raise rounds.RoundFailure(f"{starter.name}: no first job in {_LIMIT:g} s:\n{worker.tail()}")
    result = json.loads(str(heard["data"], "utf-8"))
    if result["status"] != "SUCCESS" or result["result"] != "pong":
        raise rounds.RoundFailure(f"{starter.name}: an unexpected result: {result}")
