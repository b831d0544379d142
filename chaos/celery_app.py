"""The Python side of a mixed fleet: a plain Celery application that runs the same drill.

It acknowledges late, as someone must who does not want to lose a job to a kill, and records its
effect as a Swift worker does: by `backhaul_take_effect`, in the transaction of the effect itself.
"""

from __future__ import annotations

import os
import time
from typing import Any

import psycopg
from celery import Celery, Task

_URL = os.environ["DRILL_REDIS_URL"]
_DATABASE = os.environ["DRILL_DATABASE_URL"]

app = Celery("drills", broker=_URL, backend=_URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": int(os.environ["DRILL_VISIBILITY_TIMEOUT"]),
    },
)

_connections: dict[int, psycopg.Connection[Any]] = {}  # by process: none survives a fork


def _database() -> psycopg.Connection[Any]:
    found = _connections.get(os.getpid())
    if found is None or found.closed:
        found = _connections[os.getpid()] = psycopg.connect(_DATABASE)
    return found


@app.task(name="drill.effect", bind=True)
def effect(self: Task, number: int, milliseconds: int = 0, fail_times: int = 0) -> str:
    """One row for `number`, unless the job took effect before."""
    if fail_times > self.request.retries:
        raise self.retry(countdown=1, max_retries=fail_times)
    time.sleep(milliseconds / 1000)
    with _database().transaction():
        taken = _database().execute(
            "select backhaul_take_effect(%s, 0, 'null')", (self.request.id,)
        ).fetchone()
        if taken is not None and taken[0]:
            _database().execute(
                "insert into drill_effects (number, job_id, worker) values (%s, %s, 'python')",
                (number, self.request.id),
            )
    return "done"


@app.task(name="drill.number")
def member(number: int, milliseconds: int = 0) -> int:
    """A member of a chord."""
    time.sleep(milliseconds / 1000)
    return number


@app.task(name="drill.gather")
def gather(values: list[int]) -> list[int]:
    """The body of a chord."""
    return values
