"""Workers whose only job notes when it began, and the messages they are sent.

All read CLOCK_MONOTONIC, which is one clock for every process of a machine, first thing in the
job; the time of sending is the job's argument. Each keeps its notes in memory and writes them when
it is told to end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import redis
from celery import Celery

from Benchmarks import floor
from Benchmarks.contenders import ROOT, database
from Benchmarks.options import Options
from Benchmarks.rounds import RoundFailure
from demo.children import Child, neutral_environment
from demo.sandbox import Sandbox

FLOOR = "BRPOP client"
_HERE = Path(__file__).resolve().parent
_TIME = "0" * 18  # where the producer puts the time of sending
_FIRST_DATABASE = 10
_LIMIT = 60.0  # seconds after which a worker counts as hung
_POLL = 0.002
_STAGE = "bench:stage"


@dataclass(frozen=True)
class Sample:
    """A message as the contender's own client writes it, and what is another in each copy."""

    file: Path
    identities: tuple[str, ...]

    def options(self) -> list[str]:
        named = [word for each in self.identities for word in ("--identity", each)]
        return ["--template", os.fspath(self.file), *named]


@dataclass
class PickupContender:
    """One running worker on a Redis database of its own."""

    name: str
    settings: str
    list: str
    url: str
    sample: Sample
    child: Child
    output: Path
    client: redis.Redis
    producer: Path

    def send(self, rate: float, count: int) -> tuple[int, int]:
        """Sends `count` messages; when the first and the last were sent, in nanoseconds."""
        sent = floor.run(self.producer, self.url, *self._sending(self.list, rate, count))
        self.wait()
        return int(sent["first"]), int(sent["last"])

    def capacity(self, count: int) -> float:
        """Jobs a second while there are always more."""
        floor.run(self.producer, self.url, *self._sending(_STAGE, 0, count))
        self.client.rename(_STAGE, self.list)
        started = time.perf_counter()
        self.wait()
        return count / (time.perf_counter() - started)

    def wait(self) -> None:
        """Until nothing is queued or in flight any more."""
        deadline = time.monotonic() + _LIMIT
        while self._outstanding() > 0:
            if self.child.exit_status is not None:
                raise RoundFailure(f"{self.name} ended:\n{self.child.tail()}")
            if time.monotonic() > deadline:
                raise RoundFailure(f"{self.name} took more than {_LIMIT:g} s")
            time.sleep(_POLL)

    def pickups(self) -> list[tuple[int, int]]:
        """Ends the worker; for each message when it was sent and when its job began."""
        self.child.stop()
        pairs: list[tuple[int, int]] = []
        for file in self.output.parent.glob(f"{self.output.name}*"):
            for line in file.read_text().splitlines():
                sent, begun = line.split()
                pairs.append((int(sent), int(begun)))
        self.client.flushdb()
        self.client.close()
        return sorted(pairs)

    def _sending(self, target: str, rate: float, count: int) -> list[str]:
        return [
            *("--list", target, "--produce", "--rate", f"{rate:.3f}", "--count", str(count)),
            *self.sample.options(),
        ]

    def _outstanding(self) -> int:
        pipeline = self.client.pipeline(transaction=True)
        pipeline.llen(self.list)
        pipeline.hlen("unacked")
        return sum(int(each) for each in pipeline.execute())


def start(sandbox: Sandbox, options: Options) -> list[PickupContender]:
    """Starts all of them, and returns when each has run its first jobs."""
    program = floor.compiled("pickup", options.work)
    urls = [database(sandbox.redis_url, _FIRST_DATABASE + number) for number in range(4)]
    for url in urls:
        with redis.Redis.from_url(url) as client:
            client.flushdb()
    celery_sample = _sample_of_celery(urls[0], options.work)
    sidekiq_sample = _sample_of_sidekiq(urls[2], options.work)
    outputs = [options.work / f"pickups-{number}" for number in range(4)]
    brpop, environment = floor.command(
        program, urls[0], "--list", "bench", "--output", os.fspath(outputs[0])
    )
    plans: list[tuple[str, str, str, Sample, Sequence[str], dict[str, str]]] = [
        (FLOOR, "C, one connection, no guarantee", "bench", celery_sample, brpop, environment),
        (
            "Backhaul", "1 process, default settings", "bench", celery_sample,
            [os.fspath(options.driver), "pickup", "--output", os.fspath(outputs[1])], {},
        ),
        (
            "Sidekiq", "1 process, 10 threads, no log, no guarantee", "queue:bench",
            sidekiq_sample,
            [
                *("sidekiq", "-r", os.fspath(_HERE / "latency_sidekiq.rb"), "-q", "bench"),
                *("-c", "10", "-e", "production"),
            ],
            {},
        ),
        (
            "Celery", "prefork, 2 processes, late acknowledgement", "bench", celery_sample,
            [
                *(os.fspath(options.peers), "-m", "celery", "-A", "Benchmarks.latency_celery"),
                *("worker", "-P", "prefork", "-c", "2", "-Q", "bench", "-O", "fair"),
                *("--prefetch-multiplier", "64", "--loglevel", "ERROR"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            {},
        ),
    ]
    field = []
    for url, output, (name, settings, list_key, sample, line, more) in zip(urls, outputs, plans):
        for old in output.parent.glob(f"{output.name}*"):
            old.unlink()
        child = sandbox.spawn(
            f"pickup-{name.lower().replace(' ', '-')}", line, directory=ROOT,
            environment={"REDIS_URL": url, "BENCH_OUTPUT": os.fspath(output), **more},
        )
        client = redis.Redis.from_url(url)
        field.append(
            PickupContender(
                name, settings, list_key, url, sample, child, output, client, program
            )
        )
    for each in field:
        each.send(rate=200, count=20)
    return field


def _sample_of_celery(url: str, work: Path) -> Sample:
    """What Python Celery sends; Backhaul and the bare client are sent the same."""
    with Celery("bench-producer", broker=url) as producer:
        producer.send_task("bench.pickup", args=[_TIME], queue="bench", ignore_result=True)
    with redis.Redis.from_url(url) as client:
        raw = client.rpop("bench")
        client.flushdb()
    envelope = json.loads(raw)
    tag = envelope["properties"]["delivery_tag"]
    return _kept(raw, work / "pickup-celery.json", envelope["headers"]["id"], tag)


def _sample_of_sidekiq(url: str, work: Path) -> Sample:
    script = os.fspath(_HERE / "latency_sidekiq.rb")
    subprocess.run(
        ["ruby", "-r", script, "-e", f"Pickup.perform_async({_TIME!r})"], check=True, timeout=60,
        env={**neutral_environment(), "REDIS_URL": url},
    )
    with redis.Redis.from_url(url) as client:
        raw = client.rpop("queue:bench")
        client.flushdb()
    return _kept(raw, work / "pickup-sidekiq.json", json.loads(raw)["jid"])


def _kept(raw: bytes, file: Path, *identities: str) -> Sample:
    file.write_bytes(raw)
    return Sample(file, identities)
