"""Writers of an outbox: each transaction is a row of the business and the job that it causes."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from chaos.ground import QUEUE
from chaos.messages import EFFECT

ORDERS = """
create table orders (id bigint generated always as identity primary key, writer int not null);
"""
# One statement, to spare a round trip: the order, and the job in the same transaction.
_PLACE = """
with placed as (insert into orders (writer) values (%s) returning id)
select id, backhaul.enqueue(%s, kwargs => json_build_object('number', id), queue => %s, at => {at})
from placed
"""
_NOW = _PLACE.format(at="null")
_LATER = _PLACE.format(at="now() + %s * interval '1 millisecond'")
_PUT_OFF = (200, 2500)  # milliseconds that a job is put off


@dataclass(frozen=True)
class Habits:
    """What shares of the transactions are unusual."""

    rolled_back: float = 0.1  # half of them by the end of a savepoint, the rest whole
    later: float = 0.02  # jobs for a moment later


@dataclass
class Written:
    """What one writer knows of its own rows: number → job id."""

    committed: dict[int, str] = field(default_factory=dict)
    rolled_back: dict[int, str] = field(default_factory=dict)


class Writer(threading.Thread):
    """Writes `rows` transactions over one connection, at a pace if one is given."""

    def __init__(
        self,
        number: int,
        url: str,
        rng: random.Random,
        rows: int,
        *,
        habits: Habits = Habits(),
        per_second: float = 0,
    ) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self._number, self._url, self._rng, self._rows = number, url, rng, rows
        self._habits, self._per_second = habits, per_second
        self._halt = threading.Event()
        self.written = Written()
        self.done = 0  # transactions that have ended
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            # Prepared statements do not survive a pooler in transaction mode.
            with psycopg.connect(self._url, prepare_threshold=None) as connection:
                self._write(connection)
        except BaseException as failure:  # told by `finish`, in the main thread
            self.failure = failure

    def finish(self, *, early: bool = False) -> Written:
        """Waits for its end, or asks for it; raises what it failed with."""
        if early:
            self._halt.set()
        self.join()
        if self.failure is not None:
            raise self.failure
        return self.written

    def _write(self, connection: psycopg.Connection[Any]) -> None:
        started = time.monotonic()
        while self.done < self._rows and not self._halt.is_set():
            if self._per_second:
                due = started + self.done / self._per_second
                self._halt.wait(max(due - time.monotonic(), 0))
            draw = self._rng.random()
            if draw < self._habits.rolled_back / 2:
                self.written.rolled_back.update([self._order(connection)])
                connection.rollback()
            elif draw < self._habits.rolled_back:
                with connection.transaction():
                    with connection.transaction() as savepoint:
                        self.written.rolled_back.update([self._order(connection)])
                        raise psycopg.Rollback(savepoint)
            else:
                number, job = self._order(connection)
                connection.commit()
                self.written.committed[number] = job
            self.done += 1

    def _order(self, connection: psycopg.Connection[Any]) -> tuple[int, str]:
        """One row and its job, in the transaction that is open."""
        arguments = (self._number, EFFECT, QUEUE)
        if self._rng.random() < self._habits.later:
            cursor = connection.execute(_LATER, (*arguments, self._rng.randint(*_PUT_OFF)))
        else:
            cursor = connection.execute(_NOW, arguments)
        row = cursor.fetchone()
        assert row is not None
        return int(row[0]), str(row[1])


def all_written(writers: list[Writer], *, early: bool = False) -> Written:
    """What all of them wrote, when they have ended."""
    together = Written()
    for each in writers:
        written = each.finish(early=early)
        together.committed.update(written.committed)
        together.rolled_back.update(written.rolled_back)
    return together
