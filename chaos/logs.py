"""What the workers themselves say, from their logs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_STARTED = "worker started"
_PUT_BACK = "put back jobs whose worker is gone"
_COUNT = re.compile(r" count=(\d+)")
_OUTCOME = re.compile(r" outcome=(\w+)")
_JOB = re.compile(r" job\.id=(\S+)")


def lines(logs: list[Path]) -> Iterator[str]:
    for log in logs:
        with log.open(errors="replace") as file:
            yield from file


def counted(logs: list[Path]) -> Counter[str]:
    """Outcomes by name; `worker_starts`; and `put_back`: messages taken from the dead."""
    found: Counter[str] = Counter()
    for line in lines(logs):
        if (outcome := _OUTCOME.search(line)) is not None:
            found[outcome[1]] += 1
        elif _STARTED in line:
            found["worker_starts"] += 1
        elif _PUT_BACK in line and (count := _COUNT.search(line)) is not None:
            found["put_back"] += int(count[1])
    return found


def outcomes_of(log: Path) -> dict[str, list[str]]:
    """Job id → the outcomes that one process told of it, in order."""
    found: dict[str, list[str]] = {}
    for line in lines([log]):
        job, outcome = _JOB.search(line), _OUTCOME.search(line)
        if job is not None and outcome is not None:
            found.setdefault(job[1], []).append(outcome[1])
    return found
