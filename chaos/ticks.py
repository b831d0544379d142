"""What a queue says of a schedule: each tick that came, and what that must have been.

The queue is read by a consumer of our own, so nothing in the verdict comes from a scheduler.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import redis

from chaos.ground import redis_client

_WAIT = 0.5  # seconds one look at the queue lasts
SHOWN = 5  # ticks of each kind that the report names


@dataclass(frozen=True)
class Arrival:
    """One message of a schedule, as it lay on its queue."""

    entry: str
    due: float  # unix seconds
    at: float  # when it was seen
    job: str


@dataclass(frozen=True)
class Rhythm:
    """An entry whose ticks are the multiples of `every`, and how much later one may be sent."""

    every: int  # seconds
    jitter: float = 0.0  # seconds

    def due_times(self, begin: float, end: float) -> list[float]:
        """Those after `begin`, up to `end`."""
        first = int(begin // self.every) + 1
        return [float(n * self.every) for n in range(first, int(end // self.every) + 1)]


@dataclass
class Verdict:
    """What is wrong with the ticks of all entries."""

    expected: int = 0
    missing: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)  # at times when nothing was due
    latest: float = 0.0  # seconds between due (and jitter) and the queue, the longest

    @property
    def holds(self) -> bool:
        return not (self.missing or self.doubled or self.late or self.strays)


class TickWatch(threading.Thread):
    """Empties queues from a thread of its own, and keeps what it found."""

    def __init__(self, redis_url: str, lists: list[str]) -> None:
        super().__init__(name="ticks", daemon=True)
        self._client = redis_client(redis_url)
        self._lists = lists
        self._halt = threading.Event()
        self._lock = threading.Lock()
        self._arrivals: list[Arrival] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._halt.is_set():
                found = self._client.brpop(self._lists, timeout=_WAIT)
                if found is not None:
                    self._keep(found[1], time.time())
        except (redis.RedisError, ValueError, KeyError) as failure:  # told by `finish`
            self.failure = failure

    @property
    def arrivals(self) -> list[Arrival]:
        """Until now, in the order of the queue."""
        with self._lock:
            return list(self._arrivals)

    def finish(self) -> list[Arrival]:
        """Stops, and returns all; raises what stopped it before."""
        self._halt.set()
        self.join()
        self._client.close()
        if self.failure is not None:
            raise self.failure
        return self._arrivals

    def _keep(self, raw: bytes, at: float) -> None:
        headers = json.loads(raw)["headers"]
        due = datetime.fromisoformat(headers["backhaul_tick_due_at"])
        arrival = Arrival(headers["backhaul_schedule"], due.timestamp(), at, headers["id"])
        with self._lock:
            self._arrivals.append(arrival)


def judge(
    rhythms: dict[str, Rhythm], arrivals: list[Arrival], begin: float, end: float, *, limit: float
) -> Verdict:
    """Whether each tick after `begin`, up to `end`, came once and at most `limit` seconds late.

    What came of other times is not counted as missing or late, but must not have come twice.
    """
    verdict = Verdict()
    seen: dict[str, Counter[float]] = {name: Counter() for name in rhythms}
    for each in arrivals:
        rhythm = rhythms.get(each.entry)
        if rhythm is None or each.due % rhythm.every:
            verdict.strays.append(told(each.entry, each.due))
            continue
        seen[each.entry][each.due] += 1
        if begin < each.due <= end:
            late = each.at - each.due - rhythm.jitter
            verdict.latest = max(verdict.latest, late)
            if late > limit:
                verdict.late.append(f"{told(each.entry, each.due)} by {late:.1f} s")
    for name, rhythm in rhythms.items():
        due_times = rhythm.due_times(begin, end)
        verdict.expected += len(due_times)
        verdict.missing += [told(name, due) for due in due_times if not seen[name][due]]
        verdict.doubled += [told(name, due) for due, n in seen[name].items() if n > 1]
    ids = Counter(each.job for each in arrivals)
    verdict.doubled += [f"job {job}" for job, count in ids.items() if count > 1]
    return verdict


def told(entry: str, due: float) -> str:
    return f"{entry} {datetime.fromtimestamp(due).isoformat()[11:]}"


def shown(ticks: list[str]) -> str:
    """How many, and the first few."""
    return f"{len(ticks)}" + (f": {', '.join(ticks[:SHOWN])}" if ticks else "")
