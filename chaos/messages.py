"""Drill messages as Python Celery writes them, with numbers and identities drawn from the seed."""

from __future__ import annotations

import base64
import copy
import json
import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from Benchmarks.messages import Template
from chaos.ground import QUEUE
from demo.world import PRIORITIES

EFFECT = "drill.effect"


@dataclass(frozen=True)
class Effect:
    """One job that must leave one row."""

    number: int
    task_id: str
    priority: int
    arguments: dict[str, int] = field(default_factory=dict)

    @property
    def list_name(self) -> str:
        return QUEUE + PRIORITIES[min(self.priority // 3, 3)]


@dataclass(frozen=True)
class Mixture:
    """What the jobs of a scenario are like."""

    slow_share: float = 0.1
    slow_milliseconds: tuple[int, int] = (50, 400)
    failing_share: float = 0.0
    result_share: float = 0.2

    def draw(self, number: int, rng: random.Random) -> Effect:
        arguments = {"number": number}
        if rng.random() < self.slow_share:
            arguments["milliseconds"] = rng.randint(*self.slow_milliseconds)
        if rng.random() < self.failing_share:
            arguments["fail_times"] = 1
        return Effect(number, drawn_id(rng), rng.choice((0, 3, 6, 9)), arguments)


class Press:
    """Prints messages from one that a real Celery client wrote."""

    def __init__(self, url: str) -> None:
        self._envelopes = {}
        for ignored in (False, True):
            template = Template.captured(url, EFFECT, ignore_result=ignored)
            envelope: dict[str, Any] = json.loads(template.text.replace("{queue}", QUEUE))
            self._envelopes[ignored] = envelope

    def print(self, effect: Effect, rng: random.Random, *, ignore_result: bool) -> str:
        envelope = copy.copy(self._envelopes[ignore_result])
        body = json.dumps([[], effect.arguments, json.loads(_EMBED)])
        envelope["body"] = base64.b64encode(body.encode()).decode()
        headers = dict(envelope["headers"])
        headers.update(
            id=effect.task_id, root_id=effect.task_id, kwargsrepr=repr(effect.arguments)
        )
        envelope["headers"] = headers
        properties = dict(envelope["properties"])
        properties.update(
            correlation_id=effect.task_id, delivery_tag=drawn_id(rng), priority=effect.priority
        )
        envelope["properties"] = properties
        return json.dumps(envelope)


_EMBED = '{"callbacks": null, "errbacks": null, "chain": null, "chord": null}'


def drawn_id(rng: random.Random) -> str:
    """A UUID that the seed repeats."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
