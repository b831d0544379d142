"""Wall clocks that jump an hour ahead and back, of a worker and of a scheduler."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

from celery import Celery

from chaos.clock import WrongClock
from chaos.fleet import Fleet, Post
from chaos.logs import lines
from chaos.messages import EFFECT, Effect, Mixture, drawn_id
from chaos.ground import QUEUE
from chaos.run import Run

_HOUR = 3600.0
_EVERY = 1.0  # seconds between two jobs that are put off
_COUNTDOWN = (1.0, 6.0)  # seconds
_TICK = re.compile(r"tick enqueued.* schedule\.name=(\S+).* tick\.due_at=(\S+)")
_SCHEDULE = """
entries:
  beat:
    job: backhaul.ping
    every: 2s
    queue: drills
"""


def clock(run: Run) -> None:
    """One worker of two, and one scheduler of two, live in another hour every few seconds."""
    ground, rng, outcome = run.ground, run.rng("jumps"), run.outcome
    wrong = WrongClock(ground.sandbox.directory)
    fleet = Fleet(
        ground, [Post("true"), Post("wrong", environment=wrong.environment())]
    )
    fleet.start()
    schedulers = [
        ground.scheduler("true", _SCHEDULE),
        ground.scheduler("wrong", _SCHEDULE, wrong.environment()),
    ]
    feeder = run.feeder(Mixture(slow_share=0.3), backlog=100, most=run.scaled(8000))
    due: dict[int, datetime] = {}
    with Celery("producer", broker=ground.sandbox.redis_url) as celery:
        while run.left > 0:
            if rng.random() < 0.5:
                jump = rng.choice((-_HOUR, 0.0, _HOUR))
                wrong.jump(jump)
                outcome.faults["clock jump"] += 1
            for _ in range(3):
                effect = Effect(run.books.next_number(), drawn_id(rng), 0)
                eta = datetime.now(timezone.utc) + timedelta(seconds=rng.uniform(*_COUNTDOWN))
                celery.send_task(
                    EFFECT, kwargs={"number": effect.number}, queue=QUEUE,
                    task_id=effect.task_id, eta=eta,
                )
                run.books.accept([effect])
                due[effect.number] = eta
            run.pause(
                _EVERY, fleet, lambda: f"{outcome.faults['clock jump']} jumps · {len(due)} put off"
            )
    wrong.jump(0)
    feeder.finish()
    run.drain(fleet)
    for scheduler in schedulers:
        scheduler.stop()
    fleet.stop()
    run.close_books()
    offsets = [
        (at - due[number]).total_seconds()
        for number, at in ground.rows(
            "select number, at from drill_effects where number = any(%s)", (list(due),)
        )
    ]
    early = sum(offset < -1 for offset in offsets)
    outcome.facts["put off jobs"] = len(due)
    outcome.facts["run more than 1 s early"] = early
    outcome.facts["latest after its time"] = f"{max(offsets, default=0):.1f} s"
    ticks = Counter(
        found.groups() for line in lines(ground.swift_logs()) if (found := _TICK.search(line))
    )
    twice = sum(count - 1 for count in ticks.values())
    outcome.facts["ticks"] = len(ticks)
    outcome.check("ticks", "ticks enqueued twice", twice, twice == 0)
    run.check_alive(fleet)
    assert time.monotonic() > run.started
