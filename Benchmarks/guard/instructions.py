"""Instructions of one job, by callgrind: every one is executed by its hand, and counted.

A worker under valgrind runs its threads one at a time and some fifty times slower, so that few jobs
must do. It is a copy without debug information, which valgrind of Debian 12 cannot read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from Benchmarks import rounds
from Benchmarks.contenders import ROOT, Contender, backhaul_command, database
from Benchmarks.guard.slope import BATCH, CONCURRENCY, TASK, check_nothing_buried
from Benchmarks.messages import Template
from demo.children import ChildFailure
from demo.sandbox import Sandbox

WARM_UP = 500
SMALL = 500
LARGE = 2_000
_DATABASE = 8
_LIMIT = 60.0  # seconds a tool may take


class SlowWorker:
    """A worker under callgrind, and the Redis it works on; results ignored."""

    def __init__(self, contender: Contender, counts: Path) -> None:
        self._contender = contender
        self._counts = counts
        self._dumps = 0
        self._template = Template.captured(contender.url, TASK, ignore_result=True)

    @classmethod
    @contextmanager
    def started(cls, sandbox: Sandbox, binary: Path) -> Iterator[SlowWorker]:
        url = database(sandbox.redis_url, _DATABASE)
        counts = sandbox.directory / "callgrind"
        child = sandbox.spawn(
            "callgrind",
            [
                *(needed("valgrind"), "--tool=callgrind", f"--callgrind-out-file={counts}"),
                *backhaul_command(_stripped(binary, sandbox.directory), CONCURRENCY, BATCH),
            ],
            directory=ROOT,
            environment={"REDIS_URL": url, "DATABASE_URL": sandbox.database_url},
        )
        with redis.Redis.from_url(url) as client:
            contender = Contender("Backhaul", "", TASK, "bench", url, child, LARGE, client)
            worker = cls(contender, counts)
            worker.run(WARM_UP)
            yield worker
        child.stop()

    def per_job(self) -> float:
        """One slope."""
        small, large = self.run(SMALL), self.run(LARGE)
        return (total(large) - total(small)) / (LARGE - SMALL)

    def run(self, jobs: int) -> Path:
        """Has them done, and callgrind write what it counted meanwhile."""
        rounds.run(self._contender, self._template, jobs, results=False)
        check_nothing_buried(self._contender)
        child = self._contender.child
        subprocess.run(
            [needed("callgrind_control"), "-d", str(child.pid)],
            check=True,
            timeout=_LIMIT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # what it says to everybody
        )
        self._dumps += 1
        file = self._counts.with_name(f"{self._counts.name}.{self._dumps}")
        child.wait_until(lambda: _is_whole(file), within=_LIMIT, what="callgrind's sum")
        return file


def per_job(sandbox: Sandbox, binary: Path, repetitions: int) -> list[float]:
    """So many slopes of one worker."""
    with SlowWorker.started(sandbox, binary) as worker:
        return [worker.per_job() for _ in range(repetitions)]


def needed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise ChildFailure(f"no {program}: run scripts/bootstrap.sh")
    return found


def _stripped(binary: Path, directory: Path) -> Path:
    copy = directory / "backhaul"
    command = [needed("strip"), "--strip-debug", "-o", os.fspath(copy), os.fspath(binary)]
    subprocess.run(command, check=True, timeout=_LIMIT)
    return copy


def _is_whole(file: Path) -> bool:
    """Its last line is the sum."""
    return file.exists() and "\ntotals: " in file.read_text(errors="replace")[-100:]


def total(file: Path) -> int:
    """All that was counted in what callgrind wrote."""
    return int(file.read_text(errors="replace").rpartition("\ntotals: ")[2])
