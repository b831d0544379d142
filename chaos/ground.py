"""What one scenario stands on: private servers, the schema, the table of effects, commands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import redis

from demo.children import Child, neutral_environment
from demo.sandbox import Sandbox
from demo.world import PRIORITIES, ROOT, CommandFailure

QUEUE = "drills"
LISTS = [QUEUE + suffix for suffix in PRIORITIES]
VISIBILITY_TIMEOUT = 60  # seconds; the same for Python and Swift workers
_COMMAND_LIMIT = 60.0  # seconds a short backhaul command may take
# No unique constraint: an effect that happens twice must be able to leave two rows.
_EFFECTS = """
create table drill_effects (
    number bigint not null, job_id text, worker text, fence bigint,
    at timestamptz not null default clock_timestamp());
create index drill_effects_at on drill_effects (at);
"""


class Ground:
    """Servers and settings of one scenario. Belongs to the main thread."""

    def __init__(self, sandbox: Sandbox, binary: Path, *, fsync: str, weaken: str = "") -> None:
        self.sandbox = sandbox
        self.binary = binary
        self.weaken = weaken
        self.redis = sandbox.start_redis(fsync=fsync)
        sandbox.start_postgres()
        self.backhaul("migrate", "up")
        with psycopg.connect(sandbox.database_url) as connection:
            connection.execute(_EFFECTS)
        self._database: psycopg.Connection[Any] | None = None

    def environment(self) -> dict[str, str]:
        """The settings of every Backhaul process."""
        found = {
            "REDIS_URL": self.sandbox.redis_url,
            "DATABASE_URL": self.sandbox.database_url,
            "BACKHAUL_WORKER_DRILLS": "true",
            "BACKHAUL_WORKER_VISIBILITY_TIMEOUT_SECONDS": str(VISIBILITY_TIMEOUT),
        }
        return {**found, "BACKHAUL_TEST_WEAKEN": self.weaken} if self.weaken else found

    def backhaul(self, *arguments: str) -> str:
        """Runs a short command and returns what it prints."""
        done = subprocess.run(
            [os.fspath(self.binary), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_LIMIT,
            env={**neutral_environment(), **self.environment()},
        )
        if done.returncode != 0:
            raise CommandFailure(
                f"backhaul {' '.join(arguments)}: status {done.returncode}\n{done.stderr.strip()}"
            )
        return done.stdout

    def shelf(self, name: str) -> list[dict[str, Any]]:
        """All entries of `dead` or `quarantine`, as they are kept."""
        raw = self.redis.hgetall(f"backhaul:{name}:entries")
        return [dict(json.loads(entry)) for entry in raw.values()]

    def listed(self, name: str) -> list[dict[str, Any]]:
        """The same, as `backhaul … list` tells an operator; its first page."""
        page = json.loads(self.backhaul(name, "list", "--per-page", "100", "-o", "json"))
        return list(page["items"])

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Reads from PostgreSQL, over a new connection when the last one was cut."""
        if self._database is None or self._database.closed:
            self._database = psycopg.connect(
                self.sandbox.database_url, autocommit=True, connect_timeout=5
            )
        try:
            return self._database.execute(query, parameters).fetchall()
        except psycopg.OperationalError:
            self._database.close()
            raise

    def backlog(self) -> int:
        """Messages on the queue, put off until later, and in flight."""
        pipeline = self.redis.pipeline(transaction=True)
        for name in LISTS:
            pipeline.llen(name)
        pipeline.hlen("unacked")
        pipeline.zcard("backhaul:delayed")
        return sum(int(count) for count in pipeline.execute())

    def swift_logs(self) -> list[Path]:
        """The logs of Backhaul workers and schedulers, those that were killed included."""
        return sorted(self.sandbox.logs.glob("swift-*.log"))

    def scheduler(
        self, name: str, schedule: str, environment: Mapping[str, str] | None = None
    ) -> Child:
        """A scheduler; it also puts back what dead workers held."""
        path = self.sandbox.directory / f"{name}.yaml"
        path.write_text(schedule)
        return self.sandbox.spawn(
            f"swift-scheduler-{name}",
            [self.binary, "scheduler", "--schedule", path, "--log-level", "info"],
            environment={**self.environment(), **(environment or {})},
        )

    def python_worker(
        self, name: str, *, processes: int, visibility_timeout: int = VISIBILITY_TIMEOUT
    ) -> Child:
        """A real Celery worker on the same queue, with late acknowledgement."""
        child = self.sandbox.spawn(
            name,
            [
                *(ROOT / ".run/venv/bin/python", "-m", "celery", "-A", "chaos.celery_app"),
                *("worker", "-P", "prefork", "-c", str(processes), "-Q", QUEUE, "-n", name),
                *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
            ],
            directory=ROOT,
            environment={
                "DRILL_REDIS_URL": self.sandbox.redis_url,
                "DRILL_DATABASE_URL": self.sandbox.database_url,
                "DRILL_VISIBILITY_TIMEOUT": str(visibility_timeout),
            },
        )
        return child


def redis_client(url: str) -> redis.Redis:
    """A client of its own for a thread; it does not wait long for a server that is gone."""
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
