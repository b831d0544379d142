"""Running workers: what all contenders have in common, and how Backhaul's and Celery's start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis

from Benchmarks.layouts import CeleryLayout, Layout
from demo.children import Child, neutral_environment

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Contender:
    """One running worker on a Redis database of its own."""

    name: str
    settings: str
    task: str
    queue: str
    url: str
    child: Child
    messages: int  # per round
    client: redis.Redis
    layout: Layout = field(default_factory=CeleryLayout)
    companions: Sequence[Child] = ()  # further processes of the same worker

    @property
    def children(self) -> list[Child]:
        return [self.child, *self.companions]

    def outstanding(self) -> int:
        """Messages queued or in flight."""
        return self.layout.outstanding(self.client, self.queue)

    def cpu_seconds(self) -> float:
        """Processor time of the worker and its children so far, by their sessions."""
        return sum(int(each[11]) + int(each[12]) for each in self._statuses()) / TICKS_PER_SECOND

    def resident_megabytes(self) -> float:
        """VmRSS, summed: what processes share is counted in each of them."""
        return sum(int(each[21]) for each in self._statuses()) * _PAGE / 1e6

    def redis_cpu_seconds(self) -> float:
        """Processor time of the server so far; only one contender at a time uses it."""
        spent = self.client.info("cpu")
        return float(spent["used_cpu_user"]) + float(spent["used_cpu_sys"])

    def _statuses(self) -> Iterator[list[str]]:
        """The fields of /proc/…/stat behind the name, of every process of this worker."""
        sessions = {child.pid for child in self.children}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            if int(fields[3]) in sessions:
                yield fields


def database(url: str, number: int) -> str:
    """The same Redis, another database."""
    return f"{url.rpartition('/')[0]}/{number}"


def celery_command(
    processes: int,
    prefetch: int,
    *,
    pool: str = "prefork",
    name: str = "bench",
    python: str = sys.executable,
) -> list[str]:
    return [
        *(python, "-m", "celery", "-A", "Benchmarks.celery_app", "worker"),
        *("-P", pool, "-c", str(processes), "--prefetch-multiplier", str(prefetch)),
        *("-Q", "bench", "-O", "fair", "--loglevel", "ERROR", "-n", f"{name}@%h"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def backhaul_command(
    binary: Path, concurrency: int, batch: int, *, processes: int = 1, drills: bool = False
) -> list[str]:
    return [
        *(os.fspath(binary), "worker", "--queues", "bench", "--log-level", "warning"),
        *("--concurrency", str(concurrency), "--set", f"worker.batch_size={batch}"),
        *(("--processes", str(processes)) if processes > 1 else ()),
        *(("--set", "worker.drills=true") if drills else ()),
    ]


def output_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a short command prints; raises when it fails."""
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        env={**neutral_environment(), **(environment or {})},
    )
    return done.stdout.strip()
