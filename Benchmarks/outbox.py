"""The outbox: how many rows a second one relay moves, and how long a row is under way."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
import redis

from Benchmarks.contenders import ROOT, database, output_of
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.progress import show_progress
from Benchmarks.rounds import RoundFailure
from demo.children import Child
from demo.pace import percentile
from demo.pooler import start_pgbouncer
from demo.sandbox import Sandbox

RATE_GOAL = 20_000.0  # rows a second
P99_GOAL = 100.0  # milliseconds from the commit to the running job
_PACE = 200  # rows a second while times are taken
_SECONDS, _QUICK_SECONDS = 12.0, 2.0  # for which they are taken, as many rows as that makes
_ROWS, _QUICK_ROWS = 100_000, 40_000  # relayed as fast as can be
_WARM_UP = 1.0  # seconds of them that do not count
_LIMIT = 60.0  # seconds after which a measurement counts as hung
_POLL = 0.002  # seconds between two looks
_QUEUE = "drills"
_DATABASE = 6
_EFFECTS = """
create table drill_effects (
    number bigint not null, job_id text, worker text, fence bigint,
    at timestamptz not null default clock_timestamp());
"""
_FILL = """
select count(backhaul.enqueue('drill.effect', kwargs => json_build_object('number', n),
    queue => 'bench'))
from generate_series(1, %s) as rows (n)
"""
_ENQUEUE = "select backhaul.enqueue('drill.effect', kwargs => %s::json, queue => %s)"


@dataclass(frozen=True)
class Way:
    """What one way to PostgreSQL gave."""

    name: str
    rows: int
    rate: float  # rows a second, outbox to queue
    p50: float  # milliseconds from the commit to the running job
    p99: float
    highest: float

    def line(self) -> str:
        return (
            f"{self.name:<22}{self.rate:>10,.0f}{self.p50:>10.1f}{self.p99:>10.1f}"
            f"{self.highest:>10.1f}"
        )

    def goals(self) -> list[Goal]:
        return [
            Goal(
                f"outbox, one relay, {self.name}", f"≥ {RATE_GOAL:,.0f} rows/s",
                f"{self.rate:,.0f} rows/s", self.rate >= RATE_GOAL,
            ),
            Goal(
                f"outbox, commit to running job, p99, {self.name}", f"≤ {P99_GOAL:g} ms",
                f"{self.p99:.1f} ms", self.p99 <= P99_GOAL,
            ),
        ]


class Bench:
    """One relay or worker at a time, on a Redis database of its own."""

    def __init__(self, sandbox: Sandbox, binary: Path, seconds: float) -> None:
        self._sandbox, self._binary, self._seconds = sandbox, binary, seconds
        self._redis_url = database(sandbox.redis_url, _DATABASE)
        self._client = redis.Redis.from_url(self._redis_url)
        self._starts = 0
        output_of(
            [os.fspath(binary), "migrate", "up"], self._environment(sandbox.database_url)
        )
        with psycopg.connect(sandbox.database_url) as connection:
            connection.execute(_EFFECTS)

    def measure(self, way: str, url: str, rows: int) -> Way:
        """Throughput, then times, with `url` as the relay's and the writer's way to PostgreSQL."""
        rate = self._throughput(way, url, rows)
        times = self._times(way, url)
        return Way(
            way, rows, round(rate, 1), round(percentile(times, 0.5), 2),
            round(percentile(times, 0.99), 2), round(max(times), 2),
        )

    def _throughput(self, way: str, url: str, rows: int) -> float:
        """The clock runs from the first push to the last commit."""
        show_progress(f"outbox, {way}: writing {rows:,} rows")
        with psycopg.connect(self._sandbox.database_url) as connection:
            connection.execute(_FILL, (rows,))
        with psycopg.connect(self._sandbox.database_url, autocommit=True) as connection:
            connection.execute("vacuum analyze backhaul.outbox")
        show_progress(f"outbox, {way}: relaying")
        relay = self._spawn("relay", url)
        self._until(lambda: self._client.llen("bench") > 0, relay)
        # What was pushed before the clock ran does not count either.
        first, started = int(self._client.llen("bench")), time.perf_counter()
        self._until(lambda: self._client.llen("bench") >= rows, relay)
        self._until(lambda: self._rows_left() == 0, relay)
        seconds = time.perf_counter() - started
        relay.stop()
        if (pushed := int(self._client.llen("bench"))) != rows:
            raise RoundFailure(f"{pushed} messages of {rows} rows")
        self._client.delete("bench")
        return (rows - first) / seconds

    def _times(self, way: str, url: str) -> list[float]:
        """Milliseconds from the moment a commit was confirmed to the effect of its job."""
        relay = self._spawn("relay", url)
        worker = self._spawn(
            "worker", self._sandbox.database_url, "--queues", _QUEUE,
            "--set", "worker.drills=true",
        )
        rows = round(_PACE * (self._seconds + _WARM_UP))
        with psycopg.connect(self._sandbox.database_url, autocommit=True) as reader:
            reader.execute("truncate drill_effects")
            committed: list[float] = []
            with psycopg.connect(url, prepare_threshold=None) as writer:
                started = time.monotonic()
                for number in range(rows):
                    time.sleep(max(started + number / _PACE - time.monotonic(), 0))
                    writer.execute(_ENQUEUE, (json.dumps({"number": number}), _QUEUE))
                    writer.commit()
                    committed.append(time.time())
                    if number % (5 * _PACE) == 0:
                        show_progress(f"outbox, {way}: {number:,} of {rows:,} rows, one by one")
            counted = "select count(*) from drill_effects"
            self._until(lambda: reader.execute(counted).fetchone() == (rows,), relay, worker)
            effects = reader.execute(
                "select number, extract(epoch from at)::float8 from drill_effects"
            ).fetchall()
        worker.stop()
        relay.stop()
        return [
            (at - committed[number]) * 1000
            for number, at in effects
            if number >= _PACE * _WARM_UP
        ]

    def _rows_left(self) -> int:
        with psycopg.connect(self._sandbox.database_url) as connection:
            row = connection.execute("select count(*) from backhaul.outbox").fetchone()
        return int(row[0]) if row else 0

    def _environment(self, url: str) -> dict[str, str]:
        return {"REDIS_URL": self._redis_url, "DATABASE_URL": url}

    def _spawn(self, command: str, url: str, *options: str) -> Child:
        self._starts += 1
        return self._sandbox.spawn(
            f"outbox-{command}-{self._starts}",
            [os.fspath(self._binary), command, "--log-level", "warning", *options],
            directory=ROOT,
            environment=self._environment(url),
        )

    def _until(self, condition: Callable[[], bool], *children: Child) -> None:
        deadline = time.monotonic() + _LIMIT
        while not condition():
            for child in children:
                if child.exit_status is not None:
                    raise RoundFailure(f"{child.name} ended:\n{child.tail()}")
            if time.monotonic() > deadline:
                raise RoundFailure(f"the outbox took more than {_LIMIT:g} s")
            time.sleep(_POLL)


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    """Directly, and through pgbouncer in transaction mode."""
    rows = _QUICK_ROWS if options.quick else _ROWS
    bench = Bench(sandbox, binary, _QUICK_SECONDS if options.quick else _SECONDS)
    addresses = {"direct": sandbox.database_url, "through pgbouncer": start_pgbouncer(sandbox)}
    ways = [bench.measure(name, url, rows) for name, url in addresses.items()]
    return Part(
        f"Outbox: {rows:,} rows by one relay; {_PACE} rows/s to one worker",
        [
            f"{'':<22}{'rows/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}",
            *(way.line() for way in ways),
        ],
        {"ways": [asdict(way) for way in ways]},
        [goal for way in ways for goal in way.goals()],
    )
