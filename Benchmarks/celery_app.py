"""The rival: a plain Celery application with one task that does nothing.

Set up for speed as far as Celery's own documentation goes: no events, no rate limits, fair
scheduling, a prefetch deep enough that the pool never waits. It acknowledges late, when a job is
done: only then does a killed worker lose nothing, which is what Backhaul always promises.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_shutdown, worker_shutdown

from Benchmarks.peers import tally

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.noop")
def noop(**arguments: Any) -> str:
    """Returns at once, with the same value as Backhaul's own no-op."""
    tally.count()
    return "pong"


@worker_process_shutdown.connect
@worker_shutdown.connect
def report(**_: Any) -> None:
    """Of a pool's process, or of the one process there is."""
    tally.report()
