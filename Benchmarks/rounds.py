"""One round: a full queue appears at once, and the clock runs until nothing is left of it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from Benchmarks.contenders import Contender
from Benchmarks.messages import Template, release, stage

_POLL = 0.005  # seconds between two looks at the queue
_STRAGGLERS = 2.0  # seconds the last few results may take after the queue is empty
_LIMIT = 300.0  # seconds after which a round counts as hung


class RoundFailure(RuntimeError):
    """A round that proves nothing: the worker died, hung, or did not do the work."""


@dataclass(frozen=True)
class Round:
    """What one round took."""

    messages: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.messages * 1e6


@dataclass(frozen=True)
class Summary:
    """Several rounds of one contender."""

    rounds: list[Round]

    @property
    def rate(self) -> float:
        return statistics.median(each.rate for each in self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        rates = [each.rate for each in self.rounds]
        return min(rates), max(rates)

    @property
    def cpu_microseconds(self) -> float:
        return statistics.median(each.cpu_microseconds for each in self.rounds)


def run(contender: Contender, template: Template, messages: int, *, results: bool) -> Round:
    """Empties a queue of `messages` no-ops and checks that the work was really done."""
    contender.client.flushdb()
    stage(contender.client, template, messages, contender.queue)
    cpu_before = contender.cpu_seconds()
    release(contender.client, contender.queue)
    started = time.perf_counter()
    while contender.outstanding() > 0 or missing_results(contender, messages, results) > 0:
        if contender.child.exit_status is not None:
            raise RoundFailure(f"{contender.name} ended:\n{contender.child.tail()}")
        if time.perf_counter() - started > _LIMIT:
            left = contender.outstanding()
            raise RoundFailure(f"{contender.name}: {left} messages left after {_LIMIT:g} s")
        time.sleep(_POLL)
    seconds = time.perf_counter() - started
    return Round(messages, seconds, contender.cpu_seconds() - cpu_before)


def missing_results(contender: Contender, messages: int, results: bool) -> int:
    """How many results are not there yet, by the number of keys; 0 when none are asked for."""
    if not results:
        return 0
    # Counting keys by pattern would slow the server that is measured. A handful of bookkeeping
    # keys are counted too, so this may end a few results early: `check_results` is exact.
    return max(messages - int(contender.client.dbsize()), 0)


def check_results(contender: Contender, messages: int) -> None:
    """Counts the stored results exactly; the very last may still be under way."""
    deadline = time.perf_counter() + _STRAGGLERS
    while (stored := count_results(contender)) != messages and time.perf_counter() < deadline:
        time.sleep(_POLL)
    if stored != messages:
        raise RoundFailure(f"{contender.name} stored {stored} results for {messages} jobs")
    sample = contender.client.get(next(contender.client.scan_iter("celery-task-meta-*")))
    if not isinstance(sample, bytes) or b'"SUCCESS"' not in sample or b'"pong"' not in sample:
        raise RoundFailure(f"{contender.name} stored an unexpected result: {sample!r}")


def count_results(contender: Contender) -> int:
    return sum(1 for _ in contender.client.scan_iter("celery-task-meta-*", count=10_000))
