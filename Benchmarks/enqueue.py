"""Enqueueing: one by one and by the batch, beside LPUSH of the same bytes, Sidekiq and Celery."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import redis

from Benchmarks import floor
from Benchmarks.contenders import ROOT, database
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.rounds import RoundFailure
from demo.children import neutral_environment
from demo.sandbox import Sandbox

BULK_GOAL = 0.8  # of a pipelined LPUSH of the same bytes
SINGLE_GOAL = 1.5  # times Sidekiq
_DATABASE = 9
_LIMIT = 120.0
_FLOOR, _BULK = "LPUSH, pipelined", "Backhaul, by the batch"
_BULK_BY_TWO = "Backhaul, by two tasks"
_LOCKSTEP, _SINGLE = "LPUSH, one by one", "Backhaul, one by one"
_SIDEKIQ, _CELERY = "Sidekiq, one by one", "Celery, one by one"
_HERE = Path(__file__).resolve().parent


@dataclass
class Producer:
    """One way to enqueue, and what its rounds gave."""

    name: str
    messages: int
    queue: str  # the list its messages must be on afterwards
    enqueue: Callable[[int], dict[str, Any]]
    extra: int  # messages it sends before the clock runs
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # microseconds a message

    def measure(self, client: redis.Redis) -> None:
        """One round; every message must really be there."""
        client.flushdb()
        figures = self.enqueue(self.messages)
        there = int(client.llen(self.queue))
        if there != self.messages + self.extra:
            raise RoundFailure(f"{self.name}: {there} of {self.messages} messages are there")
        self.rates.append(self.messages / figures["seconds"])
        self.cpu.append(figures["cpu_seconds"] / self.messages * 1e6)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def line(self) -> str:
        return (
            f"  {self.name:<24}{self.rate:>10,.0f}{min(self.rates):>10,.0f}"
            f"{max(self.rates):>10,.0f}{statistics.median(self.cpu):>12,.1f}"
        )

    def record(self) -> dict[str, object]:
        return {
            "messages": self.messages,
            "per_second": [round(rate, 1) for rate in self.rates],
            "cpu_microseconds": [round(each, 2) for each in self.cpu],
        }


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    """All in turn, several rounds, on a database of their own."""
    url = database(sandbox.redis_url, _DATABASE)
    scale = 0.25 if options.quick else 1.0
    with redis.Redis.from_url(url) as client:
        field = _producers(client, url, options, scale)
        for each in field:  # not counted: programs and buffers are read in
            each.messages //= 10
            each.measure(client)
            each.messages *= 10
            each.rates, each.cpu = [], []
        for _ in range(options.rounds):
            for each in field:
                each.measure(client)
        client.flushdb()
    return _part({each.name: each for each in field})


def _producers(
    client: redis.Redis, url: str, options: Options, scale: float
) -> list[Producer]:
    program = floor.compiled("enqueue", options.work)
    driver = [os.fspath(options.driver), "enqueue", "--queue", "bench", "--count"]
    same = _same_bytes(client, url, driver, options.work)
    push = partial(_floor, program, url, same)
    python, ruby = os.fspath(options.peers), "ruby"
    celery = [python, os.fspath(_HERE / "enqueue_celery.py")]
    sidekiq = [ruby, os.fspath(_HERE / "enqueue_sidekiq.rb")]
    bulk, single = round(200_000 * scale), round(10_000 * scale)
    return [
        Producer(_FLOOR, bulk, "bench", partial(push, ["--bulk"]), 0),
        Producer(_BULK, bulk, "bench", partial(_program, url, driver, ["--bulk"]), 1),
        Producer(
            _BULK_BY_TWO, bulk, "bench",
            partial(_program, url, driver, ["--bulk", "--tasks", "2"]), 1,
        ),
        Producer(_LOCKSTEP, single, "bench", partial(push, []), 0),
        Producer(_SINGLE, single, "bench", partial(_program, url, driver, []), 1),
        Producer(_SIDEKIQ, single, "queue:bench", partial(_program, url, sidekiq, []), 1),
        Producer(_CELERY, single // 5, "bench", partial(_program, url, celery, []), 1),
    ]


def _same_bytes(client: redis.Redis, url: str, driver: list[str], work: Path) -> list[str]:
    """A message as Backhaul writes it, for the C program to send, with new identities each time."""
    client.flushdb()
    _program(url, driver, [], 1)
    raw = client.rpop("bench")
    assert isinstance(raw, bytes), "Backhaul sent no message"
    envelope = json.loads(raw)
    file = work / "enqueue.json"
    file.write_bytes(raw)
    return [
        *("--list", "bench", "--template", os.fspath(file)),
        *("--identity", envelope["headers"]["id"]),
        *("--identity", envelope["properties"]["delivery_tag"]),
    ]


def _floor(
    program: Path, url: str, same: list[str], more: list[str], count: int
) -> dict[str, Any]:
    return floor.run(program, url, *same, "--count", str(count), *more)


def _program(
    url: str, command: Sequence[str], more: Sequence[str], count: int
) -> dict[str, Any]:
    """Runs a producer to its end and returns what it prints."""
    done = subprocess.run(
        [*command, str(count), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=_LIMIT, cwd=ROOT, env={**neutral_environment(), "REDIS_URL": url},
    )
    if done.returncode != 0:
        raise RoundFailure(f"{command[0]}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def _part(field: dict[str, Producer]) -> Part:
    part = Part("Enqueueing jobs with two small arguments")
    part.lines = [
        f"  {'':<24}{'jobs/s':>10}{'lowest':>10}{'highest':>10}{'CPU µs/job':>12}",
        *(each.line() for each in field.values()),
    ]
    part.record = {name: each.record() for name, each in field.items()}
    part.goals = [
        _goal("bulk enqueue, against pipelined LPUSH of the same bytes", field[_BULK],
              field[_FLOOR], BULK_GOAL),
        _goal("the same from two tasks", field[_BULK_BY_TWO], field[_FLOOR], BULK_GOAL),
        _goal("enqueue one by one, against Sidekiq", field[_SINGLE], field[_SIDEKIQ],
              SINGLE_GOAL),
    ]
    return part


def _goal(measure: str, ours: Producer, theirs: Producer, limit: float) -> Goal:
    """The median of the rounds' ratios."""
    ratios = [own / other for own, other in zip(ours.rates, theirs.rates)]
    ratio = statistics.median(ratios)
    return Goal(
        measure=measure, goal=f"≥ {limit:g} ×",
        measured=f"{ratio:.2f} × ({min(ratios):.2f} to {max(ratios):.2f})",
        reached=ratio >= limit,
    )
