"""One run of the tests on a Redis of its own, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import redis

from celery_suite.tests import PYTHON, TESTS
from demo.children import neutral_environment
from demo.sandbox import Sandbox, free_port

_PLUGIN = Path(__file__).parent / "plugin"
_TEST_LIMIT = 300  # seconds; some tests that pass need 150


@dataclass
class Outcome:
    """The node ids of tests by what became of them."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    xfailed: list[str] = field(default_factory=list)
    xpassed: list[str] = field(default_factory=list)
    status: int = 0  # pytest's own

    @property
    def is_good(self) -> bool:
        return self.status == 0 and bool(self.passed) and not self.failed

    @property
    def summary(self) -> str:
        counts = (
            f"{len(self.passed)} passed", f"{len(self.failed)} failed",
            f"{len(self.skipped)} skipped", f"{len(self.xfailed)} xfailed",
            f"{len(self.xpassed)} xpassed",
        )
        return ", ".join(counts)


class Session:
    """A Redis without a file, and runs of pytest against it. Belongs to one thread."""

    def __init__(self, sandbox: Sandbox, worker: str, log: Path) -> None:
        self._sandbox = sandbox
        self._worker = worker
        self._log = log
        self._port = free_port()
        # Celery's tests cannot give a password.
        self._server = sandbox.spawn(
            "redis",
            [
                "redis-server", "--bind", "127.0.0.1", "--port", str(self._port), "--save", "",
                "--appendonly", "no", "--dir", sandbox.directory,
            ],
        )
        self.redis = redis.Redis(port=self._port)
        self._server.wait_until(self._answers, within=30.0, what="answer to PING")

    def run(self, arguments: list[str]) -> Outcome:
        """Runs pytest, showing what it prints; the database is emptied before."""
        self.redis.flushdb()
        report = self._sandbox.directory / "report.json"
        report.unlink(missing_ok=True)
        url = f"redis://127.0.0.1:{self._port}/0"
        done = subprocess.run(
            [
                os.fspath(PYTHON), "-m", "pytest", "-p", "celery.contrib.pytest",
                "-p", "foreign_worker", "-p", "no:rerunfailures", "-p", "no:cacheprovider",
                f"--timeout={_TEST_LIMIT}", "-v", "-rfE", "--no-header", *arguments,
            ],
            cwd=TESTS,
            stdin=subprocess.DEVNULL,
            env={
                **neutral_environment(),
                "TEST_BROKER": url, "TEST_BACKEND": url, "REDIS_HOST": "127.0.0.1",
                "REDIS_PORT": str(self._port), "WORKER_LOGLEVEL": "INFO",
                "PYTHONUNBUFFERED": "1", "PYTHONPATH": f"{_PLUGIN}:{TESTS}",
                "FOREIGN_WORKER_CMD": f"exec {self._worker}",
                "FOREIGN_WORKER_LOG": os.fspath(self._log),
                "FOREIGN_REPORT": os.fspath(report),
            },
        )
        found = json.loads(report.read_text()) if report.exists() else {}
        return Outcome(
            passed=found.get("passed", []),
            failed=found.get("failed", []) + found.get("error", []),
            skipped=found.get("skipped", []),
            xfailed=found.get("xfailed", []),
            xpassed=found.get("xpassed", []),
            status=done.returncode,
        )

    def _answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except redis.RedisError:
            return False


def worker_command(worker: str) -> str:
    """The command that starts a worker: our executable, or Celery's own for `python`."""
    if worker == "python":
        return shlex.join([os.fspath(PYTHON), os.fspath(_PLUGIN / "python_worker.py")])
    return shlex.join([os.fspath(Path(worker).resolve())])
