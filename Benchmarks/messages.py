"""Messages by the hundred thousand, each exactly as its own client library writes it.

A client library makes about a thousand messages a second, which would measure the producer. So a
real client sends one message, and the rest are copies of its bytes with identities of their own.
"""

from __future__ import annotations

import json
import operator
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from celery import Celery

BATCH = 1000  # messages to one command
STAGE = "bench:stage"  # filled first, then renamed: the queue appears whole, in one moment
_DIGITS = 32  # hexadecimal, of one identity


@dataclass(frozen=True)
class Template:
    """One message as a client wrote it, and the identities in it."""

    text: str  # "{queue}" stands for the queue, where it is named
    identities: tuple[str, ...]  # each occurs at least once
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def captured(
        cls, url: str, task: str, *, ignore_result: bool, arguments: dict[str, Any] | None = None
    ) -> Template:
        """Has a real Celery client send `task` once, and takes the message off its queue."""
        queue = f"bench-template-{uuid.uuid4()}"
        with Celery("bench-producer", broker=url, backend=url) as producer:
            producer.send_task(task, kwargs=arguments, queue=queue, ignore_result=ignore_result)
        with redis.Redis.from_url(url) as client:
            raw = client.rpop(queue)
            client.srem(f"_kombu.binding.{queue}", f"{queue}\x06\x16\x06\x16{queue}")
            client.delete(f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}")
        assert isinstance(raw, bytes), "Celery sent no message"
        envelope = json.loads(raw)
        assert envelope["headers"]["ignore_result"] is ignore_result
        return cls(
            text=raw.decode().replace(queue, "{queue}"),
            identities=(envelope["headers"]["id"], envelope["properties"]["delivery_tag"]),
            arguments=arguments or {},
        )

    def copies(self, count: int, queue: str) -> Iterator[str]:
        """`count` messages for `queue`, all with identities of their own."""
        for message, _ in self.identified(count, queue):
            yield message

    def identified(self, count: int, queue: str) -> Iterator[tuple[str, Sequence[str]]]:
        """The same, each with its new identities in the order of the old ones."""
        text = self.text.replace("{queue}", queue).replace("%", "%%")
        pattern = re.compile("|".join(map(re.escape, self.identities)))
        order = [self.identities.index(found) for found in pattern.findall(text)]
        form, chosen = pattern.sub("%s", text), operator.itemgetter(*order)
        shapes = [_shape(identity) for identity in self.identities]
        for start in range(0, count, BATCH):
            size = min(BATCH, count - start)
            digits = os.urandom(size * len(shapes) * _DIGITS // 2).hex()
            position = 0
            for _ in range(size):
                fresh = []
                for shape in shapes:
                    fresh.append(shape(digits[position : position + _DIGITS]))
                    position += _DIGITS
                yield form % chosen(fresh), fresh


def _shape(identity: str) -> Any:
    """Makes 32 hexadecimal digits look like `identity`: a UUID, or so many digits."""
    if len(identity) == 36:
        return lambda h: f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"
    length = len(identity)
    assert length <= _DIGITS, f"{identity} is no identity of a known shape"
    return lambda h: h[:length]


def stage(client: redis.Redis, template: Template, count: int, queue: str) -> None:
    """Writes `count` messages where no worker looks yet."""
    client.delete(STAGE)
    batch: list[str] = []
    for message in template.copies(count, queue):
        batch.append(message)
        if len(batch) == BATCH:
            client.lpush(STAGE, *batch)
            batch = []
    if batch:
        client.lpush(STAGE, *batch)


def release(client: redis.Redis, queue: str) -> None:
    """Puts all staged messages on the queue in one atomic step."""
    client.rename(STAGE, queue)
