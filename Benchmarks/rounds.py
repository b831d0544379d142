"""One round: a full queue appears at once, and the clock runs until nothing is left of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from Benchmarks.contenders import Contender
from Benchmarks.messages import Template

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
    redis_cpu_seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.messages * 1e6

    @property
    def redis_cpu_microseconds(self) -> float:
        return self.redis_cpu_seconds / self.messages * 1e6


@dataclass(frozen=True)
class Summary:
    """Several rounds of one contender."""

    rounds: Sequence[Round]

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

    @property
    def redis_cpu_microseconds(self) -> float:
        return statistics.median(each.redis_cpu_microseconds for each in self.rounds)


@dataclass(frozen=True)
class Ratio:
    """How two contenders compare: the quotient of each round in which both took a turn."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def between(cls, above: Sequence[float], below: Sequence[float]) -> Ratio:
        quotients = [a / b for a, b in zip(above, below, strict=True)]
        return cls(statistics.median(quotients), min(quotients), max(quotients))

    def __str__(self) -> str:
        digits = 0 if self.median >= 20 else 1 if self.median >= 3 else 2
        return (
            f"{self.median:,.{digits}f} × "
            f"({self.lowest:,.{digits}f}–{self.highest:,.{digits}f})"
        )


def run(contender: Contender, template: Template, messages: int, *, results: bool) -> Round:
    """Empties a queue of `messages` no-ops and checks that the work was really done."""
    layout, client = contender.layout, contender.client
    layout.clear(client)
    layout.stage(client, template, messages, contender.queue)
    cpu_before, redis_before = contender.cpu_seconds(), contender.redis_cpu_seconds()
    layout.release(client, contender.queue)
    started = time.perf_counter()
    while contender.outstanding() > 0 or missing_results(contender, messages, results) > 0:
        for child in contender.children:
            if child.exit_status is not None:
                raise RoundFailure(f"{contender.name} ended:\n{child.tail()}")
        if time.perf_counter() - started > _LIMIT:
            left = contender.outstanding()
            raise RoundFailure(f"{contender.name}: {left} messages left after {_LIMIT:g} s")
        time.sleep(_POLL)
    seconds = time.perf_counter() - started
    return Round(
        messages,
        seconds,
        contender.cpu_seconds() - cpu_before,
        contender.redis_cpu_seconds() - redis_before,
    )


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
