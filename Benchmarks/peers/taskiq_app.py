"""Taskiq: one task that does nothing, on the stream broker, the only Redis one that acknowledges.

The list broker is faster, but pops a message and forgets it.

    python -m Benchmarks.peers.taskiq_app            sends it once, to be captured
"""

from __future__ import annotations

import asyncio
import os

from taskiq import TaskiqEvents, TaskiqState
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisStreamBroker

from Benchmarks.peers import tally

broker = RedisStreamBroker(
    os.environ["BENCH_REDIS_URL"],
    queue_name="bench",
    consumer_id="0",
    xread_count=1000,
).with_serializer(ORJSONSerializer())


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def report(state: TaskiqState) -> None:
    tally.report()


@broker.task(task_name="bench.noop")
async def noop() -> None:
    tally.count()


async def send() -> None:
    await broker.startup()
    await noop.kiq()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(send())
