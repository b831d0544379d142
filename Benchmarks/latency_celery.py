"""Celery's worker in the measurement of pickup: the task notes when it began.

Late acknowledgement, so that it promises what Backhaul promises; no events, no rate limits.
"""

import os
import time
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_shutdown

app = Celery("bench", broker=os.environ["REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
pickups: list[tuple[str, int]] = []


@app.task(name="bench.pickup", ignore_result=True)
def pickup(sent: str) -> None:
    """Notes when the message was sent and when it is here."""
    pickups.append((sent, time.monotonic_ns()))


@worker_process_shutdown.connect
def write(**_: object) -> None:
    """Each process of the pool writes a file of its own."""
    lines = "".join(f"{sent} {begun}\n" for sent, begun in pickups)
    Path(f"{os.environ['BENCH_OUTPUT']}.{os.getpid()}").write_text(lines)
