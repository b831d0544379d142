"""The two workers: how each is started, and where its messages go."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from demo.children import Child, neutral_environment

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


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

    def outstanding(self) -> int:
        """Messages queued or in flight."""
        pipeline = self.client.pipeline(transaction=True)
        pipeline.llen(self.queue)
        pipeline.hlen("unacked")
        queued, in_flight = pipeline.execute()
        return int(queued) + int(in_flight)

    def cpu_seconds(self) -> float:
        """Processor time of the worker and its children so far, by their session."""
        ticks = 0
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            if int(fields[3]) == self.child.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS_PER_SECOND


def database(url: str, number: int) -> str:
    """The same Redis, another database."""
    return f"{url.rpartition('/')[0]}/{number}"


def celery_command(processes: int, prefetch: int) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "-A", "Benchmarks.celery_app", "worker"),
        *("-P", "prefork", "-c", str(processes), "--prefetch-multiplier", str(prefetch)),
        *("-Q", "bench", "-O", "fair", "--loglevel", "ERROR"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def backhaul_command(binary: Path, concurrency: int, batch: int) -> list[str]:
    return [
        *(os.fspath(binary), "worker", "--queues", "bench", "--log-level", "warning"),
        *("--concurrency", str(concurrency), "--set", f"worker.batch_size={batch}"),
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
