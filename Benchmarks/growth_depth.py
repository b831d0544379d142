"""Drain rate while a queue is held at one length.

A queue of a hundred that simply drains is gone within a millisecond: that would measure how fast a
worker wakes up. So a feeder adds messages by the hundred whenever the queue is shorter than it
should be, in the same way for a short queue and for a long one; what differs is the length alone.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import redis

from Benchmarks import rounds
from Benchmarks.growth_crew import Crew
from Benchmarks.messages import Template, release, stage

_CHUNK = 100  # messages to one LPUSH of the feeder
_CHUNKS = 200  # different ones; no two messages of one identity are ever in flight together
_AT_ONCE = 10  # chunks at most to one round trip
_REST = 0.0002  # seconds between two looks at a queue that is long enough
_RUN_IN = 0.3  # seconds before the clock runs
_ASIDE = "aside:"  # a long queue between its turns
_QUIET = 10.0  # seconds the last messages in flight may take


@dataclass(frozen=True)
class Held:
    """One turn at one length."""

    rate: float  # jobs per second
    length: float  # the median of what the feeder saw


class Feeder:
    """Holds the queue of one crew at a length."""

    def __init__(self, crew: Crew, template: Template) -> None:
        self._crew = crew
        self._template = template
        self._queue = crew.queues[0]
        self._connection = redis.Redis.from_url(crew.url).connection_pool.get_connection()
        copies = template.copies(_CHUNK * _CHUNKS, self._queue)
        # Put together beforehand: the feeder must leave the processor to those who are measured.
        self._chunks = [
            self._connection.pack_command(
                "LPUSH", self._queue, *(next(copies) for _ in range(_CHUNK))
            )
            for _ in range(_CHUNKS)
        ]
        self._look = self._connection.pack_command("LLEN", self._queue)
        self._fed = 0
        self._turn = 0

    def prepare(self, length: int) -> None:
        """Writes a queue of that length and puts it aside."""
        stage(self._crew.client, self._template, length, self._queue)
        release(self._crew.client, f"{_ASIDE}{length}")

    def hold(self, length: int, seconds: float) -> Held:
        """Puts the queue before the crew, measures for so long, and takes it away again."""
        crew, client, aside = self._crew, self._crew.client, f"{_ASIDE}{length}"
        self._fed = 0
        there = int(client.llen(aside))
        self._move(aside, self._queue)
        self._feed(length, _RUN_IN)
        started, done = time.perf_counter(), self._fed - self._outstanding()
        seen = self._feed(length, seconds)
        done = self._fed - self._outstanding() - done
        elapsed = time.perf_counter() - started
        self._move(self._queue, aside)
        crew.handed_out += there + self._fed - int(client.llen(aside))
        deadline = time.perf_counter() + _QUIET
        while crew.is_busy():
            crew.check_alive()
            if time.perf_counter() > deadline:
                raise rounds.RoundFailure(f"messages in flight {_QUIET:g} s after the last")
            time.sleep(0.001)
        return Held(done / elapsed, statistics.median(seen))

    def _feed(self, length: int, seconds: float) -> list[int]:
        """Feeds for so long; returns the lengths that were seen."""
        seen: list[int] = []
        size = length
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if size < length:
                size = self._add(min(max((length - size) // _CHUNK, 1), _AT_ONCE))
            else:
                time.sleep(_REST)
                size = self._ask([self._look])
            seen.append(size)
        return seen

    def _add(self, chunks: int) -> int:
        """Adds so many chunks in one round trip; returns how long the queue is then."""
        turns = [(self._turn + each) % _CHUNKS for each in range(chunks)]
        self._turn += chunks
        self._fed += chunks * _CHUNK
        return self._ask([self._chunks[each] for each in turns])

    def _ask(self, commands: list[list[bytes]]) -> int:
        """The last answer, a length; without the client's own work for each message."""
        self._connection.send_packed_command([part for each in commands for part in each])
        return [int(self._connection.read_response()) for _ in commands][-1]

    def _outstanding(self) -> int:
        pipeline = self._crew.client.pipeline(transaction=True)
        pipeline.llen(self._queue)
        pipeline.hlen("unacked")
        return sum(pipeline.execute())

    def _move(self, source: str, target: str) -> None:
        try:
            self._crew.client.rename(source, target)
        except redis.ResponseError:
            pass  # a list that was emptied is no key any more
