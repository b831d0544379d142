"""What a scenario is given, and the steps that several of them share."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import psycopg
import redis

from chaos.books import Books, Tally
from chaos.feeder import Feeder
from chaos.ground import Ground
from chaos.logs import counted
from chaos.messages import Mixture
from chaos.report import Outcome
from demo.display import Display

LIMIT = 10.0  # seconds a recovery may take
DRAIN_LIMIT = 60.0  # seconds until nothing must be left, after the last fault
_TICK = 0.05  # seconds between two looks at the fleet


class Tended(Protocol):
    """Processes that are started again when they end."""

    fallen: list[str]  # what ended although nobody ended it

    def tend(self) -> None: ...


@dataclass(frozen=True)
class Mark:
    """A moment, by all that measures one."""

    wall: float  # unix seconds
    number: int  # the last job drawn
    monotonic: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.monotonic


@dataclass
class Run:
    """One scenario, running. Belongs to the main thread."""

    ground: Ground
    outcome: Outcome
    display: Display
    seed: str
    scale: float
    seconds: float  # how long the faults may go on
    books: Books = field(default_factory=Books)
    started: float = field(default_factory=time.monotonic)

    def rng(self, purpose: str) -> random.Random:
        """A random source of its own for each purpose, so that none disturbs another."""
        return random.Random(f"{self.seed}/{purpose}")

    def scaled(self, number: int, least: int = 1) -> int:
        """A volume or a count of the default budget, at the budget that there is."""
        return max(least, round(number * self.scale))

    @property
    def left(self) -> float:
        """Seconds in which faults may still be injected."""
        return self.started + self.seconds - time.monotonic()

    def feeder(self, mixture: Mixture, *, backlog: int, most: int, **options: float) -> Feeder:
        """A producer, started; `options` as `Feeder` takes them."""
        feeder = Feeder(
            *(self.ground, self.books, self.rng("jobs"), mixture),
            backlog=backlog,
            most=most,
            seconds=self.seconds,
            **options,
        )
        feeder.start()
        return feeder

    def pause(self, seconds: float, fleet: Tended, text: Callable[[], str]) -> None:
        """Lets time pass; whatever fell is started again meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            fleet.tend()
            self.show(text())
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(_TICK, left))

    def wait(
        self, condition: Callable[[], bool], fleet: Tended, *, within: float, text: str
    ) -> bool:
        """Waits for a condition while the fleet is tended; servers may be gone meanwhile."""
        deadline = time.monotonic() + within
        while True:
            fleet.tend()
            self.show(text)
            try:
                if condition():
                    return True
            except (redis.RedisError, psycopg.OperationalError):
                pass
            if time.monotonic() > deadline:
                return False
            time.sleep(_TICK)

    def show(self, text: str) -> None:
        elapsed = time.monotonic() - self.started
        self.display.progress(min(int(elapsed), int(self.seconds)), int(self.seconds), text)

    def drain(self, fleet: Tended, *, within: float = DRAIN_LIMIT) -> float:
        """Waits until no message is left anywhere, or time is up; the seconds it took."""
        started = time.monotonic()
        self.wait(
            lambda: self.ground.backlog() == 0, fleet, within=within, text="draining the queue"
        )
        return time.monotonic() - started

    def close_books(self) -> Tally:
        """Counts, and checks what must hold in every scenario."""
        outcome, tally = self.outcome, self.books.close(self.ground)
        outcome.tally = tally
        said = counted(self.ground.swift_logs())
        outcome.repeated = said["put_back"]
        outcome.recognised = said["repeated"]
        outcome.late_settles_refused = said["lease_lost"]
        outcome.facts["log"] = ", ".join(f"{count} {word}" for word, count in sorted(said.items()))
        outcome.check(
            "balance",
            "accepted = done + waiting + dead + quarantined",
            f"{tally.accepted:,} = {tally.done:,} + {tally.waiting:,} + {tally.dead:,}"
            f" + {tally.quarantined:,}",
            tally.balances,
        )
        outcome.check("lost", "lost", f"{tally.lost:,}", tally.lost == 0)
        outcome.check("doubled", "effects doubled", f"{tally.doubled:,}", tally.doubled == 0)
        outcome.check("strays", "effects nobody asked for", tally.strays, tally.strays == 0)
        return tally

    def check_recovery(self, kind: str, limit: float = LIMIT) -> None:
        times = self.outcome.recovery.get(kind, [])
        worst = f"{max(times):.1f} s" if times else "none seen"
        holds = bool(times) and max(times) <= limit
        self.outcome.check("recovery", f"slowest recovery, {kind}, ≤ {limit:g} s", worst, holds)

    def check_reached(self, label: str, found: int, wanted: int) -> None:
        """A run that did less than it says proves less than it says."""
        self.outcome.check("reached", label, f"{found:,} of {wanted:,}", found >= wanted)

    def check_alive(self, fleet: Tended) -> None:
        """Nothing may end but what this suite ended."""
        fallen = fleet.fallen
        self.outcome.check(
            "alive", "processes that ended by themselves", "; ".join(fallen[:3]) or "0", not fallen
        )

    def mark(self) -> Mark:
        """Now, as effects will show it."""
        return Mark(time.time(), self.books.last_number, time.monotonic())

    def works_since(self, mark: Mark, worker: str = "%") -> bool:
        """Whether a job sent after `mark` has had its effect, by a worker named like `worker`.

        What a worker held before proves nothing: it runs without its broker.
        """
        return bool(
            self.ground.rows(
                "select 1 from drill_effects"
                " where at > to_timestamp(%s) and number > %s and worker like %s limit 1",
                (mark.wall, mark.number, worker),
            )
        )
