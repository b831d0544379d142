"""One contender's turn in a round of the drain comparison: a running worker, or the floor."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import redis

from Benchmarks import floor, rounds
from Benchmarks.contenders import Contender, database
from Benchmarks.layouts import RAN, CeleryLayout
from Benchmarks.lineup import Entrant
from Benchmarks.messages import Template
from Benchmarks.rounds import Round, RoundFailure
from demo.sandbox import Sandbox

_FIRST = 200  # messages of the first, smallest round
_LONG_ENOUGH = 0.4  # seconds from which a round tells how fast a contender is
_QUIET = 1.0  # seconds without growth after which a worker counts as idle
_START_LIMIT = 30.0


@dataclass(frozen=True)
class Discipline:
    """What the messages of a comparison are like."""

    name: str
    title: str
    stores_results: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)
    most: int = 400_000  # messages in one round, for the memory they take


class Turn(Protocol):
    name: str
    settings: str

    def prepare(self, discipline: Discipline) -> None:
        """Has the message for it captured."""

    def play(self, messages: int) -> Round:
        """Empties a queue of so many, once, and checks that the work was done."""

    def finish(self) -> None:
        """Ends it, and checks the sum of all rounds where it can be had."""


class WorkerTurn:
    """A worker that runs all the while, idle when it is not its turn."""

    def __init__(self, sandbox: Sandbox, entrant: Entrant, number: int) -> None:
        url = database(sandbox.redis_url, number)
        # A peer's message must be taken off its queue before a worker is there to do so.
        self._captured = entrant.capture(url) if entrant.capture else None
        self.worker = entrant.start(sandbox, number)
        self.name, self.settings = entrant.name, entrant.settings
        self._template: Template
        self._discipline: Discipline
        self._played = 0

    def idle_megabytes(self) -> float:
        """Once it has stopped growing."""
        deadline = time.monotonic() + _START_LIMIT
        size, since = 0.0, time.monotonic()
        while time.monotonic() < min(deadline, since + _QUIET):
            now = self.worker.resident_megabytes()
            if abs(now - size) > 0.01 * size:
                size, since = now, time.monotonic()
            time.sleep(0.1)
        return size

    def prepare(self, discipline: Discipline) -> None:
        self._discipline = discipline
        self._template = self._captured or Template.captured(
            self.worker.url,
            self.worker.task,
            ignore_result=not discipline.stores_results,
            arguments=discipline.arguments,
        )

    def play(self, messages: int) -> Round:
        stores = self._discipline.stores_results
        done = rounds.run(self.worker, self._template, messages, results=stores)
        self._played += messages
        if stores:
            rounds.check_results(self.worker, messages)
        self._check_nothing_refused()
        return done

    def finish(self) -> None:
        for child in self.worker.children:
            child.stop()
        ran = self._ran()
        if ran is not None and ran != self._played:
            raise RoundFailure(f"{self.name} ran {ran:,} of {self._played:,} jobs")

    def _check_nothing_refused(self) -> None:
        """A queue can also be emptied by refusing its messages; that would not count."""
        for shelf in ("quarantine", "dead"):
            if buried := int(self.worker.client.zcard(f"backhaul:{shelf}")):
                raise RoundFailure(f"{self.name} put {buried:,} messages on the {shelf} shelf")

    def _ran(self) -> int | None:
        """How many jobs its processes counted; Backhaul is known by what it settled instead."""
        for key in (RAN, "stat:processed"):
            if (count := self.worker.client.get(key)) is not None:
                return int(count)
        if self.name.startswith("Backhaul"):
            return None
        raise RoundFailure(f"{self.name} did not say how many jobs it ran")


class FloorTurn:
    """The same Redis calls as Backhaul's, by a C program that runs nothing."""

    name = "Floor in C"
    settings = "1 process, the same scripts and batches of 128, no job"

    def __init__(self, sandbox: Sandbox, number: int, task: str, work: Path) -> None:
        self._url = database(sandbox.redis_url, number)
        self._client = redis.Redis.from_url(self._url)
        self._layout = CeleryLayout()
        self._task, self._work = task, work
        self._program = floor.compiled("drain", work)
        self._template: Template
        self._stores = False

    def prepare(self, discipline: Discipline) -> None:
        self._stores = discipline.stores_results
        self._template = Template.captured(
            self._url, self._task, ignore_result=not self._stores, arguments=discipline.arguments
        )

    def play(self, messages: int) -> Round:
        queue = "bench"
        self._layout.clear(self._client)
        self._layout.stage(self._client, self._template, messages, queue)
        self._layout.release(self._client, queue)
        before = self._redis_cpu()
        done = floor.drain(
            self._program, self._url, self._work, queue=queue, results=self._stores
        )
        if done["messages"] != messages or self._layout.outstanding(self._client, queue):
            raise RoundFailure(f"the floor settled {done['messages']:,} of {messages:,} messages")
        return Round(
            messages, done["seconds"], done["cpu_seconds"], self._redis_cpu() - before
        )

    def finish(self) -> None:
        self._client.close()

    def _redis_cpu(self) -> float:
        spent = self._client.info("cpu")
        return float(spent["used_cpu_user"]) + float(spent["used_cpu_sys"])


def sized(turn: Turn, seconds: float, most: int) -> int:
    """How many messages keep this contender busy for about so long, found with growing rounds."""
    messages = _FIRST
    while True:
        done = turn.play(min(messages, most))
        if done.seconds >= min(_LONG_ENOUGH, seconds) or messages >= most:
            break
        messages *= 4
    wanted = done.rate * seconds
    return max(min(round(wanted / 100) * 100, most), 100)
