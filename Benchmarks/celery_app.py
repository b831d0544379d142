"""The rival: a plain Celery application with one task that does nothing.

Set up for speed as far as Celery's own documentation goes: no events, no rate limits, early
acknowledgement (the default), fair scheduling, a prefetch deep enough that the pool never waits.
"""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"], backend=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.noop")
def noop() -> str:
    """Returns at once, with the same value as Backhaul's own no-op."""
    return "pong"
