"""Who takes part in the comparison, each with the settings that made it fastest on two cores.

Settings were chosen by trying; README.md says what else was tried.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from Benchmarks.contenders import (
    ROOT,
    Contender,
    backhaul_command,
    celery_command,
    database,
    output_of,
)
from Benchmarks.layouts import CeleryLayout, DramatiqLayout, Layout, SidekiqLayout, TaskiqLayout
from Benchmarks.messages import Template
from demo.sandbox import Sandbox

_CONCURRENCY = 128
_BATCH = 128
_PREFETCH = 64
_QUEUE = "bench"
_PEERS = ROOT / "Benchmarks" / "peers"


@dataclass(frozen=True)
class Entrant:
    """What is needed to start one contender, and how its message is had."""

    name: str
    settings: str
    task: str
    commands: Sequence[Sequence[str]]
    layout: Layout
    capture: Callable[[str], Template] | None = None  # from its own client; else from Celery
    environment: tuple[tuple[str, str], ...] = ()

    def start(self, sandbox: Sandbox, number: int) -> Contender:
        """Starts its processes on a database of its own; they wait, idle, for a queue."""
        url = database(sandbox.redis_url, number)
        name = self.name.lower().replace(",", "").replace(" ", "-")
        children = [
            sandbox.spawn(
                f"{name}-{position}",
                command,
                directory=ROOT,
                environment={
                    "BENCH_REDIS_URL": url,
                    "REDIS_URL": url,
                    "DATABASE_URL": sandbox.database_url,
                    **dict(self.environment),
                },
            )
            for position, command in enumerate(self.commands, start=1)
        ]
        client = redis.Redis.from_url(url)
        return Contender(
            self.name, self.settings, self.task, _QUEUE, url, children[0], 0, client,
            self.layout, children[1:],
        )


def backhaul(binary: Path, processes: int = 1) -> Entrant:
    """With its whole guarantee, as always: there is no switch to measure it without."""
    return Entrant(
        f"Backhaul, {processes} process{'es' if processes > 1 else ''}",
        f"concurrency {_CONCURRENCY}, batches of {_BATCH}, in each",
        "backhaul.ping",
        [backhaul_command(binary, _CONCURRENCY, _BATCH, processes=processes)],
        CeleryLayout(),
    )


def backhaul_with_arguments(binary: Path) -> Entrant:
    """One process, and a job that takes arguments: they are its result, which nobody asks for."""
    plain = backhaul(binary)
    return replace(
        plain,
        task="drill.gather",
        commands=[backhaul_command(binary, _CONCURRENCY, _BATCH, drills=True)],
    )


def celery_prefork(python: Path) -> Entrant:
    return Entrant(
        "Celery prefork",
        f"2 processes, prefetch x{_PREFETCH}, -O fair, hiredis, acks late",
        "bench.noop",
        [celery_command(2, _PREFETCH, python=os.fspath(python))],
        CeleryLayout(),
    )


def celery_solo(python: Path) -> Entrant:
    return Entrant(
        "Celery solo",
        f"2 workers of 1 process, prefetch x{_PREFETCH}, hiredis, acks late",
        "bench.noop",
        [
            celery_command(1, _PREFETCH, pool="solo", name=name, python=os.fspath(python))
            for name in ("one", "two")
        ],
        CeleryLayout(),
    )


def dramatiq(python: Path) -> Entrant:
    layout = DramatiqLayout()
    return Entrant(
        "Dramatiq",
        "2 processes of 16 threads, prefetch 200, hiredis, acks late",
        "noop",
        [
            [
                *(os.fspath(python), "-m", "dramatiq", "Benchmarks.peers.dramatiq_app"),
                *("--processes", "2", "--threads", "16", "--skip-logging"),
            ]
        ],
        layout,
        lambda url: _captured(
            [os.fspath(python), "-m", "Benchmarks.peers.dramatiq_app"], url, layout.capture
        ),
        # It polls an empty queue ever more seldom, by default up to a second; a tenth of one costs
        # the others little and a round of its own less.
        (("dramatiq_queue_prefetch", "200"), ("dramatiq_worker_timeout", "100")),
    )


def taskiq(python: Path) -> Entrant:
    layout = TaskiqLayout()
    return Entrant(
        "Taskiq",
        "2 processes of 10 at once, prefetch 1000, stream, hiredis, uvloop, acks late",
        "bench.noop",
        [
            [
                *(os.fspath(python), "-m", "taskiq", "worker"),
                *("Benchmarks.peers.taskiq_app:broker", "--workers", "2"),
                *("--max-async-tasks", "10", "--max-prefetch", "1000"),
                *("--log-level", "ERROR", "--no-parse"),
            ]
        ],
        layout,
        lambda url: _captured(
            [os.fspath(python), "-m", "Benchmarks.peers.taskiq_app"], url, layout.capture
        ),
    )


def sidekiq() -> Entrant:
    layout = SidekiqLayout()
    application = os.fspath(_PEERS / "sidekiq_app.rb")
    return Entrant(
        "Sidekiq",
        "2 processes of 5 threads, hiredis, YJIT; a kill loses what it holds",
        "Noop",
        [
            ["sidekiq", "-r", application, "-q", _QUEUE, "-c", "5", "-e", "production"]
            for _ in range(2)
        ],
        layout,
        lambda url: _captured(["ruby", application], url, layout.capture),
        (("RUBYOPT", "--yjit --yjit-exec-mem-size=16"),),
    )


def _captured(
    command: Sequence[str], url: str, capture: Callable[[redis.Redis, str], Template]
) -> Template:
    """Has a system's own client send its no-op once."""
    output_of(command, {"BENCH_REDIS_URL": url, "PYTHONPATH": os.fspath(ROOT)})
    with redis.Redis.from_url(url) as client:
        return capture(client, _QUEUE)


def peers(python: Path) -> tuple[list[Entrant], list[str]]:
    """All other systems, and what to say of one that is not installed here."""
    found = [celery_prefork(python), celery_solo(python), dramatiq(python), taskiq(python)]
    if shutil.which("sidekiq"):
        return [*found, sidekiq()], []
    return found, ["Sidekiq is not installed: scripts/bench-bootstrap.sh"]
