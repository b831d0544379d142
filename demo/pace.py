"""How fast it went, from Celery's own result records."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import datetime

import redis


def finish_times(client: redis.Redis, task_ids: Sequence[str]) -> dict[str, datetime]:
    """Task id → when its result was written, from Celery's own result records."""
    keys = [f"celery-task-meta-{task_id}" for task_id in task_ids]
    found = {}
    for raw in client.mget(keys) if keys else []:
        if raw is None:
            continue
        record = json.loads(raw)
        if record.get("date_done"):
            found[record["task_id"]] = datetime.fromisoformat(record["date_done"])
    return found


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest-rank percentile; `values` must not be empty."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def busiest_second(ends: Sequence[datetime]) -> int:
    """The most of `ends`, which are in order, within any one second."""
    most = first = 0
    for last, end in enumerate(ends):
        while (end - ends[first]).total_seconds() > 1:
            first += 1
        most = max(most, last - first + 1)
    return most
