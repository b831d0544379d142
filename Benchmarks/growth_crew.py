"""Workers on a database of their own, before whom the same messages are put again and again.

All databases are of one Redis, so its memory weighs on every one of them alike. Messages are
written once, as Python Celery writes them; a round copies them inside Redis, which takes a moment.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import redis

from Benchmarks import rounds
from Benchmarks.contenders import ROOT, database
from Benchmarks.messages import Template, release, stage
from demo.sandbox import Sandbox

CONCURRENCY = 128
BATCH = 128
TASK = "backhaul.ping"
_READY = "ready:"  # lists that become queues in one step
_POLL = 0.005  # seconds between two looks at the queues
_LIMIT = 120.0  # seconds after which a round counts as hung
_LOOKED_AT = 0.02  # seconds between two looks at whether a worker is there
_SUCCEEDED = re.compile(r"worker stopped .*\bsucceeded=(\d+)")


class Depot:
    """A private Redis, and in its database 0 the lists of messages that are copied for a round."""

    def __init__(self, sandbox: Sandbox, database_url: str, binary: Path) -> None:
        self.sandbox = sandbox
        self.database_url = database_url
        self.binary = binary
        self.client = sandbox.start_redis(persistent=False)
        self.template = Template.captured(sandbox.redis_url, TASK, ignore_result=True)
        self._databases = 0

    def url(self) -> str:
        """A database that nobody has yet."""
        self._databases += 1
        return database(self.sandbox.redis_url, self._databases)

    def keep(self, messages: int, queues: Sequence[str]) -> None:
        """Writes so many messages altogether for these queues, to be copied from."""
        for queue in queues:
            stage(self.client, self.template, messages // len(queues), queue)
            release(self.client, _READY + queue)

    def copy(self, queues: Sequence[str], to: redis.Redis) -> None:
        number = to.get_connection_kwargs()["db"]
        pipeline = self.client.pipeline(transaction=False)
        for queue in queues:
            pipeline.copy(_READY + queue, _READY + queue, destination_db=number, replace=True)
        if not all(pipeline.execute()):
            raise rounds.RoundFailure(f"nothing is kept for the queues {', '.join(queues)}")


class Crew:
    """Worker processes that share queues. The clock of a round is theirs alone: others are idle."""

    def __init__(
        self,
        depot: Depot,
        name: str,
        *,
        queues: Sequence[str] = ("bench",),
        processes: int = 1,
        reached_by: Callable[[str], str] = lambda url: url,
    ) -> None:
        """`reached_by` makes of the database's address the one that the workers are given."""
        self.name = name
        self.queues = list(queues)
        self._depot = depot
        self.url = depot.url()
        self.client = redis.Redis.from_url(self.url)
        self.handed_out = 0  # messages that the workers must have done by the end
        self.child = depot.sandbox.spawn(
            f"crew-{self.url.rpartition('/')[2]}",
            [
                *(os.fspath(depot.binary), "worker", "--queues", ",".join(queues)),
                *("--concurrency", str(CONCURRENCY), "--set", f"worker.batch_size={BATCH}"),
                *("--processes", str(processes), "--log-level", "notice"),
            ],
            directory=ROOT,
            environment={"REDIS_URL": reached_by(self.url), "DATABASE_URL": depot.database_url},
        )
        self.child.wait_until(
            lambda: self.child.log.read_text().count("worker started") == processes,
            within=30,
            what="start",
        )

    def drain(self) -> float:
        """Jobs per second of one round: full queues appear at once, and nothing is left of them."""
        self._depot.copy(self.queues, self.client)
        pipeline = self.client.pipeline(transaction=True)
        for queue in self.queues:
            pipeline.llen(_READY + queue)
            pipeline.rename(_READY + queue, queue)
        messages = sum(pipeline.execute()[::2])
        started = time.perf_counter()
        self.handed_out += messages
        while self.is_busy():
            self.check_alive()
            if time.perf_counter() - started > _LIMIT:
                raise rounds.RoundFailure(f"{self.name}: messages left after {_LIMIT:g} s")
            time.sleep(_POLL)
        return messages / (time.perf_counter() - started)

    def is_busy(self) -> bool:
        """Whether anything is queued or in flight; one cheap look, however many the queues."""
        pipeline = self.client.pipeline(transaction=True)
        pipeline.exists(*self.queues)
        pipeline.hlen("unacked")
        return any(pipeline.execute())

    def check_alive(self) -> None:
        if self.child.exit_status is not None:
            raise rounds.RoundFailure(f"{self.name}: the worker ended:\n{self.child.tail()}")

    def disband(self) -> None:
        """Ends the workers, and checks that they have done all that was handed out, once each."""
        while self.is_busy():
            self.check_alive()
            time.sleep(_LOOKED_AT)
        self.child.stop()
        done = sum(int(count) for count in _SUCCEEDED.findall(self.child.log.read_text()))
        graves = ("backhaul:dead", "backhaul:quarantine")
        buried = sum(int(self.client.zcard(grave)) for grave in graves)
        if done != self.handed_out or buried:
            raise rounds.RoundFailure(
                f"{self.name}: {done:,} of {self.handed_out:,} jobs succeeded, {buried} buried"
            )
        self.client.close()
