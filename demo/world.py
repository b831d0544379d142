"""Everything that runs in a demonstration, and how to reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import redis

from demo import seed
from demo.children import Child, neutral_environment
from demo.isp import celery_application
from demo.sandbox import Sandbox, free_port

ROOT = Path(__file__).resolve().parent.parent
QUEUES = ("provisioning", "payments", "sla", "webhooks", "celery")
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")  # a Celery queue is four lists
CONCURRENCY = 64  # jobs at a time in each worker
GATEWAY_KEY = "sk_test_demo"  # opens nothing but the demo's own gateway
_START_LIMIT = 15.0  # seconds until a counterpart must answer
_COMMAND_LIMIT = 60.0  # seconds a short backhaul command may take


class CommandFailure(RuntimeError):
    """A backhaul command that did not succeed."""


class World:
    """Servers, counterparts and workers in one sandbox. Start them in the order of the methods."""

    def __init__(self, sandbox: Sandbox, binary: Path, *, calm: bool) -> None:
        self.sandbox = sandbox
        self.binary = binary
        self._calm = calm
        self._started = 0
        self.workers: list[Child] = []
        self.scheduler: Child | None = None
        self.endpoints = seed.new_endpoints()
        self.gateway_url = ""
        self.receiver_url = ""

    def start_servers(self) -> None:
        """Redis, PostgreSQL, and the schema."""
        self.redis: redis.Redis = self.sandbox.start_redis()
        self.sandbox.start_postgres()
        self.celery = celery_application(self.sandbox.redis_url)
        self.backhaul("migrate", "up")
        self.database: psycopg.Connection[Any] = psycopg.connect(
            self.sandbox.database_url, autocommit=True
        )

    def start_counterparts(self) -> None:
        """The payment gateway and the webhook receiver."""
        secrets = self.sandbox.directory / "endpoints.json"
        secrets.touch(mode=0o600)
        secrets.write_text(json.dumps({each.name: each.secret for each in self.endpoints}))
        faults = ["--calm"] if self._calm else []
        self.gateway_url = self._start_counterpart(
            "gateway", "/_books", ["--key", GATEWAY_KEY, *faults]
        )
        self.receiver_url = self._start_counterpart(
            "receiver", "/_tally", ["--endpoints", os.fspath(secrets)]
        )

    def start_worker(self) -> Child:
        """One more worker over all queues."""
        self._started += 1
        child = self.sandbox.spawn(
            f"worker-{self._started}",
            [
                *(self.binary, "worker", "--queues", ",".join(QUEUES)),
                *("--concurrency", str(CONCURRENCY), "--log-level", "info"),
            ],
            environment=self.environment(),
        )
        self.workers.append(child)
        return child

    def kill_worker(self) -> Child:
        """kill -9 of the oldest worker."""
        victim = self.workers.pop(0)
        victim.kill()
        return victim

    def start_scheduler(self, month: date) -> Child:
        """The scheduler, sweeping `month` every few seconds."""
        template = (Path(__file__).parent / "schedule.yaml").read_text()
        schedule = self.sandbox.directory / "schedule.yaml"
        schedule.write_text(template.replace("MONTH", f"{month:%Y-%m}"))
        self.scheduler = self.sandbox.spawn(
            "scheduler",
            [self.binary, "scheduler", "--schedule", schedule, "--log-level", "info"],
            environment=self.environment(),
        )
        return self.scheduler

    def environment(self) -> dict[str, str]:
        """The settings of every Backhaul process; in the environment, where `ps` shows none."""
        return {
            "REDIS_URL": self.sandbox.redis_url,
            "DATABASE_URL": self.sandbox.database_url,
            "BACKHAUL_PAYMENTS_GATEWAY_URL": self.gateway_url,
            "BACKHAUL_PAYMENTS_API_KEY": GATEWAY_KEY,
            "BACKHAUL_HTTP_ALLOW": "127.0.0.0/8",
        }

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
        """What `backhaul quarantine list` or `backhaul dead list` tells."""
        page = json.loads(self.backhaul(name, "list", "--per-page", "100", "-o", "json"))
        return list(page["items"])

    def gateway_books(self) -> dict[str, Any]:
        return fetched(f"{self.gateway_url}/_books")

    def receiver_tally(self) -> dict[str, Any]:
        return fetched(f"{self.receiver_url}/_tally")

    def backlog(self) -> int:
        """Messages on the queues, put off until later, and in flight."""
        pipeline = self.redis.pipeline(transaction=True)
        for queue in QUEUES:
            for suffix in PRIORITIES:
                pipeline.llen(queue + suffix)
        pipeline.hlen("unacked")
        pipeline.zcard("backhaul:delayed")
        return sum(int(count) for count in pipeline.execute())

    def fallen(self) -> list[Child]:
        """Backhaul processes that ended without being asked to."""
        watched = [*self.workers, *([self.scheduler] if self.scheduler else [])]
        return [child for child in watched if child.exit_status is not None]

    def _start_counterpart(self, name: str, probe: str, options: Sequence[str]) -> str:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        child = self.sandbox.spawn(
            name,
            [sys.executable, "-m", f"demo.{name}", "--port", str(port), *options],
            directory=ROOT,
        )

        def answers() -> bool:
            try:
                fetched(url + probe)
                return True
            except OSError:
                return False

        child.wait_until(answers, within=_START_LIMIT, what=f"answer at {url}")
        return url


def fetched(url: str) -> dict[str, Any]:
    """One JSON document from a counterpart; never through a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with closing(opener.open(url, timeout=10)) as response:
        return dict(json.load(response))
