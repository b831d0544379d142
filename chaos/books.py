"""What was accepted, and where each accepted job is in the end.

    accepted = done + waiting + dead + quarantined, and each effect exactly once
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chaos.ground import LISTS, Ground
from chaos.messages import Effect

_CHUNK = 5000  # entries read from Redis at a time
SHOWN = 20  # ids of each kind that the report names


@dataclass
class Tally:
    """The books, closed."""

    accepted: int = 0
    done: int = 0
    waiting: int = 0
    dead: int = 0
    quarantined: int = 0
    lost: int = 0
    doubled: int = 0  # rows beyond the first
    strays: int = 0  # rows of numbers that nobody sent
    missing_effects: int = 0  # done by its result, but no row
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def balances(self) -> bool:
        places = self.done + self.waiting + self.dead + self.quarantined
        return self.accepted == places and not self.lost


class Books:
    """Written by producers, from any thread; closed by the main thread when they have stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}  # task id → number; of accepted effects
        self._others: set[str] = set()  # accepted jobs without an effect: their result tells
        self._next = 0

    def next_number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def accept(self, effects: Iterable[Effect]) -> None:
        """Redis has acknowledged these."""
        with self._lock:
            self._numbers.update((each.task_id, each.number) for each in effects)

    def accept_other(self, task_id: str) -> None:
        """A job that leaves no row, and whose result is kept."""
        with self._lock:
            self._others.add(task_id)

    @property
    def last_number(self) -> int:
        with self._lock:
            return self._next

    @property
    def accepted_count(self) -> int:
        with self._lock:
            return len(self._numbers) + len(self._others)

    def close(self, ground: Ground) -> Tally:
        """Looks for every accepted job in every place it can be."""
        with self._lock:
            numbers, others = dict(self._numbers), set(self._others)
        waiting = waiting_ids(ground)
        dead = {str(each["id"]) for each in ground.shelf("dead")}
        quarantined = {str(each["id"]) for each in ground.shelf("quarantine")}
        rows = {
            int(number): int(count)
            for number, count in ground.rows(
                "select number, count(*) from drill_effects group by number"
            )
        }
        results = succeeded(ground, others)
        tally = Tally(accepted=len(numbers) + len(others))
        lost, places = [], {"waiting": waiting, "dead": dead, "quarantined": quarantined}
        for task_id in (*numbers, *others):
            place = next((name for name, ids in places.items() if task_id in ids), None)
            if place is not None:
                setattr(tally, place, getattr(tally, place) + 1)
            elif task_id in results or numbers.get(task_id) in rows:
                tally.done += 1
            else:
                lost.append(task_id)
        doubled = [number for number, count in rows.items() if count > 1]
        tally.lost = len(lost)
        tally.doubled = sum(rows[number] - 1 for number in doubled)
        tally.strays = len(rows.keys() - set(range(1, self._next + 1)))
        tally.examples = {
            "lost": [f"{each} (number {numbers.get(each)})" for each in lost[:SHOWN]],
            "doubled": [f"number {each}" for each in sorted(doubled)[:SHOWN]],
            "dead": sorted(dead)[:SHOWN],
            "quarantined": sorted(quarantined)[:SHOWN],
        }
        return tally


def waiting_ids(ground: Ground) -> set[str]:
    """Ids of all messages that wait, are put off, or are in flight."""
    client, found = ground.redis, set()
    for name in LISTS:
        for start in range(0, int(client.llen(name)), _CHUNK):
            found |= {id_of(raw) for raw in client.lrange(name, start, start + _CHUNK - 1)}
    for key in client.scan_iter("backhaul:inbox:*", count=_CHUNK):
        found |= {id_of(raw) for raw in client.lrange(key, 0, -1)}
    for _, raw in client.hscan_iter("unacked", count=_CHUNK):
        found.add(id_of(raw))
    for _, raw in client.hscan_iter("backhaul:delayed:messages", count=_CHUNK):
        found.add(id_of(raw))
    return found


def id_of(raw: bytes) -> str:
    """The task id of a message: bare, in a record of `unacked`, or behind its list's name."""
    envelope: Any = json.loads(raw[raw.index(b"\n") + 1 :] if b"\n" in raw else raw)
    if isinstance(envelope, list):
        envelope = envelope[0]
    return str(envelope["headers"]["id"])


def succeeded(ground: Ground, ids: set[str]) -> set[str]:
    """Those of `ids` whose result says SUCCESS."""
    found = set()
    for task_id in ids:
        raw = ground.redis.get(f"celery-task-meta-{task_id}")
        if raw is not None and json.loads(raw)["status"] == "SUCCESS":
            found.add(task_id)
    return found
