"""Messages by the hundred thousand, each exactly as a Python Celery producer writes it.

Celery itself makes about a thousand messages a second, which would measure the producer. So a real
Celery client sends one message, and the rest are copies of its bytes with identities of their own.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import redis
from celery import Celery

_BATCH = 1000  # messages to one LPUSH
_STAGE = "bench:stage"  # filled first, then renamed: the queue appears whole, in one moment


@dataclass(frozen=True)
class Template:
    """One message as Celery wrote it, and the two identities in it."""

    text: str
    task_id: str
    delivery_tag: str

    @classmethod
    def captured(cls, url: str, task: str, *, ignore_result: bool) -> Template:
        """Has a real Celery client send `task` once, and takes the message off its queue."""
        queue = f"bench-template-{uuid.uuid4()}"
        with Celery("bench-producer", broker=url, backend=url) as producer:
            producer.send_task(task, queue=queue, ignore_result=ignore_result)
        with redis.Redis.from_url(url) as client:
            raw = client.rpop(queue)
            client.srem(f"_kombu.binding.{queue}", f"{queue}\x06\x16\x06\x16{queue}")
            client.delete(f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}")
        assert isinstance(raw, bytes), "Celery sent no message"
        envelope = json.loads(raw)
        assert envelope["headers"]["ignore_result"] is ignore_result
        return cls(
            text=raw.decode().replace(queue, "{queue}"),
            task_id=envelope["headers"]["id"],
            delivery_tag=envelope["properties"]["delivery_tag"],
        )

    def copies(self, count: int, queue: str) -> Iterator[str]:
        """`count` messages for `queue`, all with ids of their own."""
        bits = random.getrandbits
        text = self.text.replace("{queue}", queue)
        for _ in range(count):
            task_id = str(uuid.UUID(int=bits(128), version=4))
            tag = str(uuid.UUID(int=bits(128), version=4))
            yield text.replace(self.task_id, task_id).replace(self.delivery_tag, tag)


def stage(client: redis.Redis, template: Template, count: int, queue: str) -> None:
    """Writes `count` messages where no worker looks yet."""
    client.delete(_STAGE)
    pipeline = client.pipeline(transaction=False)
    batch: list[str] = []
    for message in template.copies(count, queue):
        batch.append(message)
        if len(batch) == _BATCH:
            pipeline.lpush(_STAGE, *batch)
            batch = []
            if len(pipeline) >= 10:
                pipeline.execute()
    if batch:
        pipeline.lpush(_STAGE, *batch)
    pipeline.execute()


def release(client: redis.Redis, queue: str) -> None:
    """Puts all staged messages on the queue in one atomic step."""
    client.rename(_STAGE, queue)
