"""Where each system keeps its messages in Redis: how a full queue is laid out and seen to be empty.

All follow the systems' own clients, whose message is captured first. A queue always appears whole
in one step, so that no worker starts before the clock.
"""

from __future__ import annotations

import json
from typing import Protocol

import redis

from Benchmarks import messages
from Benchmarks.messages import BATCH, STAGE, Template

RAN = "bench:ran"  # how many no-ops the peers' processes ran, added up when they end
_HASH_STAGE = f"{STAGE}:hash"


class Layout(Protocol):
    """What differs between the systems."""

    def clear(self, client: redis.Redis) -> None:
        """Removes what a round left, but nothing a running worker relies on."""

    def stage(self, client: redis.Redis, template: Template, count: int, queue: str) -> None:
        """Writes `count` messages where no worker looks yet."""

    def release(self, client: redis.Redis, queue: str) -> None:
        """Puts all staged messages on the queue in one atomic step."""

    def outstanding(self, client: redis.Redis, queue: str) -> int:
        """Messages queued or in flight, as far as Redis knows; 0 when all are done."""


class CeleryLayout:
    """A list, and a hash of what is in flight; Backhaul keeps the same."""

    def clear(self, client: redis.Redis) -> None:
        client.flushdb()

    def stage(self, client: redis.Redis, template: Template, count: int, queue: str) -> None:
        messages.stage(client, template, count, queue)

    def release(self, client: redis.Redis, queue: str) -> None:
        messages.release(client, queue)

    def outstanding(self, client: redis.Redis, queue: str) -> int:
        pipeline = client.pipeline(transaction=True)
        pipeline.llen(queue)
        pipeline.hlen("unacked")
        queued, in_flight = pipeline.execute()
        return int(queued) + int(in_flight)


class DramatiqLayout:
    """A list of identities, and a hash of messages, which an acknowledgement removes."""

    namespace = "dramatiq"

    def capture(self, client: redis.Redis, queue: str) -> Template:
        (identity,) = client.lrange(f"{self.namespace}:{queue}", 0, -1)
        raw = client.hget(f"{self.namespace}:{queue}.msgs", identity)
        client.delete(f"{self.namespace}:{queue}", f"{self.namespace}:{queue}.msgs")
        message = json.loads(raw)
        assert message["options"]["redis_message_id"] == identity.decode()
        return Template(raw.decode(), (identity.decode(), message["message_id"]))

    def clear(self, client: redis.Redis) -> None:
        client.flushdb()

    def stage(self, client: redis.Redis, template: Template, count: int, queue: str) -> None:
        client.delete(STAGE, _HASH_STAGE)
        batch: dict[str, str] = {}
        for number, (message, fresh) in enumerate(template.identified(count, queue), start=1):
            batch[fresh[0]] = message
            if len(batch) == BATCH or number == count:
                client.rpush(STAGE, *batch)
                client.hset(_HASH_STAGE, mapping=batch)
                batch = {}

    def release(self, client: redis.Redis, queue: str) -> None:
        pipeline = client.pipeline(transaction=True)
        pipeline.rename(_HASH_STAGE, f"{self.namespace}:{queue}.msgs")
        pipeline.rename(STAGE, f"{self.namespace}:{queue}")
        pipeline.execute()

    def outstanding(self, client: redis.Redis, queue: str) -> int:
        return int(client.hlen(f"{self.namespace}:{queue}.msgs"))


class TaskiqLayout:
    """A stream and its consumer group, which keeps what is not acknowledged."""

    group = "taskiq"
    _MOVE = """
        local moved = redis.call('LRANGE', KEYS[1], 0, -1)
        for i = #moved, 1, -1 do redis.call('XADD', KEYS[2], '*', 'data', moved[i]) end
        redis.call('DEL', KEYS[1])
    """

    def capture(self, client: redis.Redis, queue: str) -> Template:
        ((_, fields),) = client.xrange(queue)
        client.delete(queue)
        message = json.loads(fields[b"data"])
        return Template(fields[b"data"].decode(), (message["task_id"],))

    def clear(self, client: redis.Redis) -> None:
        for key in client.scan_iter(_type="stream"):
            client.xtrim(key, maxlen=0, approximate=False)  # its group must stay

    def stage(self, client: redis.Redis, template: Template, count: int, queue: str) -> None:
        messages.stage(client, template, count, queue)

    def release(self, client: redis.Redis, queue: str) -> None:
        client.eval(self._MOVE, 2, STAGE, queue)

    def outstanding(self, client: redis.Redis, queue: str) -> int:
        pipeline = client.pipeline(transaction=True)
        pipeline.xinfo_stream(queue)
        pipeline.xinfo_groups(queue)
        stream, groups = pipeline.execute()
        if not groups:
            return int(stream["length"])  # its worker has not started yet
        (group,) = groups
        unread = stream["last-generated-id"] != group["last-delivered-id"]
        return int(group["pending"]) + int(unread)


class SidekiqLayout:
    """A list and nothing else: what a process took is in its memory alone.

    So the end is seen when the last jobs are taken, up to one for each thread too early.
    """

    def capture(self, client: redis.Redis, queue: str) -> Template:
        (raw,) = client.lrange(f"queue:{queue}", 0, -1)
        client.delete(f"queue:{queue}")
        return Template(raw.decode(), (json.loads(raw)["jid"],))

    def clear(self, client: redis.Redis) -> None:
        """Nothing: the queue is empty, and its statistics are wanted at the end."""

    def stage(self, client: redis.Redis, template: Template, count: int, queue: str) -> None:
        messages.stage(client, template, count, queue)

    def release(self, client: redis.Redis, queue: str) -> None:
        messages.release(client, f"queue:{queue}")

    def outstanding(self, client: redis.Redis, queue: str) -> int:
        return int(client.llen(f"queue:{queue}"))
