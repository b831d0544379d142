"""The Swift workers of a scenario: started, killed, stopped, resumed, and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos.ground import QUEUE, Ground
from demo.children import Child

_START_LIMIT = 20.0  # seconds until a new worker must have said that it started


@dataclass(frozen=True)
class Post:
    """A place in the fleet, and how whoever stands there is started."""

    name: str
    concurrency: int = 32
    processes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Victim:
    """A process that can be hurt."""

    pid: int
    kind: str  # worker, supervisor, or child of a supervisor
    post: str


class Fleet:
    """Belongs to the main thread: Linux ties a child to the thread that started it."""

    def __init__(self, ground: Ground, posts: list[Post]) -> None:
        self._ground = ground
        self._posts = posts
        self._children: dict[str, Child] = {}
        self._expected: set[int] = set()  # pids that this suite ended
        self._orphans: set[int] = set()  # whose supervisor was killed; they end by themselves
        self._starts = 0
        self.fallen: list[str] = []  # what ended although nobody ended it
        self.fallen_pids: set[int] = set()

    def start(self) -> None:
        """Starts all, and waits until each has said so."""
        for post in self._posts:
            self._start(post)
        for child in self._children.values():
            child.wait_until(lambda c=child: said_started(c.log), within=_START_LIMIT, what="start")

    def tend(self) -> None:
        """Starts again whatever has ended, as any init system would."""
        for post in self._posts:
            child = self._children[post.name]
            if child.exit_status is None:
                continue
            if child.pid not in self._expected:
                self.fallen_pids.add(child.pid)
                self.fallen.append(f"{child.log.stem}: status {child.exit_status}")
            self._start(post)

    def victims(self) -> list[Victim]:
        """Every process of the fleet that runs now, in an order that repeats."""
        found = []
        for post in self._posts:
            child = self._children[post.name]
            if child.exit_status is not None:
                continue
            kind = "worker" if post.processes == 1 else "supervisor"
            found.append(Victim(child.pid, kind, post.name))
            if post.processes > 1:
                pids = children_of(child.pid)
                found += [Victim(pid, "supervised", post.name) for pid in pids]
        return found

    def kill(self, victim: Victim) -> list[int]:
        """kill -9; the process ids that die of it, a supervisor's children included."""
        child = self._children[victim.post]
        if victim.kind == "supervised":
            if victim.pid not in children_of(child.pid):
                return []
            os.kill(victim.pid, signal.SIGKILL)
            return [victim.pid]
        orphans = children_of(child.pid) if victim.kind == "supervisor" else []
        self._expected.add(child.pid)
        self._orphans |= set(orphans)
        child.kill()
        return [child.pid, *orphans] if victim.kind == "worker" else orphans

    def child(self, post: str) -> Child:
        """Who stands at a post now."""
        return self._children[post]

    def stop(self, grace: float = 20.0) -> dict[str, int | None]:
        """TERM to all; exit status by post."""
        for child in self._children.values():
            self._expected.add(child.pid)
            child.send(signal.SIGTERM)
        for child in self._children.values():
            child.stop(grace)
        for pid in sorted(self._orphans):
            if self._is_ours(pid):
                self.fallen.append(f"process {pid} outlived its supervisor")
                os.kill(pid, signal.SIGKILL)
        return {name: child.exit_status for name, child in self._children.items()}

    def _is_ours(self, pid: int) -> bool:
        """Whether a process id is still that of our program, and has not been given away."""
        try:
            return Path(f"/proc/{pid}/exe").resolve() == self._ground.binary
        except OSError:
            return False

    def _start(self, post: Post) -> None:
        self._starts += 1
        supervised = ("--processes", str(post.processes)) if post.processes > 1 else ()
        self._children[post.name] = self._ground.sandbox.spawn(
            f"swift-{post.name}-{self._starts}",
            [
                *(self._ground.binary, "worker", "--queues", QUEUE, "--log-level", "info"),
                *("--concurrency", str(post.concurrency), *supervised, *post.options),
                *("--set", "database.pool_size=6", "--set", "worker.grace_seconds=5"),
            ],
            environment={**self._ground.environment(), **post.environment},
        )


def said_started(log: Path) -> bool:
    """Whether a worker's log tells that it runs."""
    return "worker started" in log.read_text(errors="replace")


def children_of(pid: int) -> list[int]:
    """The process ids whose parent this is, lowest first."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return sorted(found)
