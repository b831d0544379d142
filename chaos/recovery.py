"""How long what a killed worker held stays with it.

A tag is `<worker>-<sequence>-<index>`, a worker `<host>.<pid>.<random>`. What is measured is the
time from the kill until none of its tags is left in `unacked_index`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import redis

from chaos.ground import redis_client

_LOOK = 0.05  # seconds between two looks; also the error of a time told
_QUIET = 1.0  # seconds without a tag after which a worker counts as cleared
_TAG = re.compile(rb"[^-]*\.(\d+)\.[^-.]+-\d+-\d+")


@dataclass
class _Grave:
    kind: str
    killed: float
    held: int = 0  # the most tags seen at once
    last_seen: float | None = None


class RecoveryClock(threading.Thread):
    """Watches `unacked_index` from a thread of its own."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(name="recovery", daemon=True)
        self._client = redis_client(redis_url)
        self._looker = redis_client(redis_url)  # the main thread's
        self._halt = threading.Event()
        self._lock = threading.Lock()
        self._graves: dict[int, _Grave] = {}
        self.times: dict[str, list[float]] = {}
        self.orphaned = 0  # messages that killed workers held
        self.empty_handed = 0  # workers that held nothing when they were killed
        self.longest_gap = 0.0  # seconds between two looks, on a machine that is too busy

    def look(self) -> dict[int, int]:
        """How many messages each process holds, by its id; call it right before a kill."""
        return held_by_process(self._looker.zrange("unacked_index", 0, -1))

    def died(self, pid: int, kind: str, held: int) -> None:
        """Call it right after the kill, with what it held right before."""
        now = time.monotonic()
        with self._lock:
            self._graves[pid] = _Grave(kind, now, held, now if held else None)

    @property
    def open_graves(self) -> int:
        with self._lock:
            return len(self._graves)

    def finish(self, within: float) -> int:
        """Waits until all have been cleared; how many have not."""
        deadline = time.monotonic() + within
        while self.open_graves and time.monotonic() < deadline:
            time.sleep(_LOOK)
        self._halt.set()
        self.join()
        self._client.close()
        self._looker.close()
        for grave in self._graves.values():
            self.times.setdefault(grave.kind, []).append(time.monotonic() - grave.killed)
        return len(self._graves)

    def run(self) -> None:
        last = time.monotonic()
        while not self._halt.wait(_LOOK):
            asked = time.monotonic()
            try:
                tags = self._client.zrange("unacked_index", 0, -1)
            except redis.RedisError:
                continue
            self.longest_gap = max(self.longest_gap, asked - last)
            last = asked
            with self._lock:
                self._judge(held_by_process(tags), asked)

    def _judge(self, held: dict[int, int], now: float) -> None:
        for pid, grave in list(self._graves.items()):
            if count := held.get(pid, 0):
                grave.held, grave.last_seen = max(grave.held, count), now
            elif now - (grave.last_seen or grave.killed) > _QUIET:
                del self._graves[pid]
                if grave.last_seen is None:
                    self.empty_handed += 1
                    continue
                self.orphaned += grave.held
                seconds = grave.last_seen + _LOOK - grave.killed
                self.times.setdefault(grave.kind, []).append(seconds)


def held_by_process(tags: Iterable[bytes]) -> dict[int, int]:
    """Process id → how many of `tags` name a worker with it."""
    held: dict[int, int] = {}
    for tag in tags:
        if found := _TAG.fullmatch(tag):
            held[int(found[1])] = held.get(int(found[1]), 0) + 1
    return held


def tags_of(pid: int, tags: Iterable[bytes]) -> list[bytes]:
    """Those of `tags` that name a worker with this process id."""
    return [tag for tag in tags if (found := _TAG.fullmatch(tag)) and int(found[1]) == pid]
