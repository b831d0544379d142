"""Pickup: how long a message lies there before its job begins, of an idle and of a busy worker.

One C program sends to all: one LPUSH for each message, with the time just before the write as the
job's argument. The job notes the time first thing. Both times are of one clock.
"""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from Benchmarks import latency_contenders
from Benchmarks.latency_contenders import FLOOR, PickupContender
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from Benchmarks.rounds import RoundFailure
from demo.pace import percentile
from demo.sandbox import Sandbox

IDLE_RATE = 50.0  # messages a second to a worker that is idle but for them
RATIO_GOAL = 2.0  # times what a bare client takes
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_BURST = {FLOOR: 20_000, "Backhaul": 40_000, "Sidekiq": 8_000, "Celery": 1_500}
_BUSY = 0.5  # of what it can do
_LEAST = 50  # messages in a round, so that a slow worker's percentiles mean something
_SKIPPED = 5  # messages of each round that warm things up and do not count


@dataclass(frozen=True)
class Amount:
    """How much is measured, for each contender and each of its rounds."""

    rounds: int
    idle_seconds: float
    busy_seconds: float
    burst: float  # share of the messages from which capacity is taken


FULL, QUICK = Amount(3, 4.5, 1.0, 1.0), Amount(2, 1.2, 0.4, 0.3)


@dataclass
class Times:
    """Microseconds from the LPUSH to the start of the job, round by round."""

    rate: float
    rounds: list[list[float]] = field(default_factory=list)

    def all(self, share: float) -> float:
        return percentile([each for round in self.rounds for each in round], share)

    def of_rounds(self, share: float) -> list[float]:
        return [percentile(each, share) for each in self.rounds]

    def record(self) -> dict[str, object]:
        return {
            "rate": round(self.rate, 1),
            "samples": sum(len(each) for each in self.rounds),
            "microseconds": {name: round(self.all(share), 1) for name, share in SHARES.items()},
            "rounds": {
                name: [round(each, 1) for each in self.of_rounds(share)]
                for name, share in SHARES.items()
            },
        }


@dataclass
class Window:
    """One round of one contender: what was sent between two moments."""

    first: int
    last: int
    messages: int

    def times(self, name: str, pickups: Sequence[tuple[int, int]]) -> list[float]:
        """Every message of it was picked up once; else nothing was measured."""
        start = bisect.bisect_left(pickups, (self.first, 0))
        end = bisect.bisect_left(pickups, (self.last + 1, 0))
        if end - start != self.messages:
            raise RoundFailure(f"{name} ran {end - start} jobs for {self.messages} messages")
        return [(begun - sent) / 1000 for sent, begun in pickups[start + _SKIPPED : end]]


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    """Idle and busy rounds, the contenders taking turns."""
    amount = QUICK if options.quick else FULL
    field = latency_contenders.start(sandbox, options)
    capacities = {
        each.name: each.capacity(max(round(_BURST[each.name] * amount.burst), 100))
        for each in field
    }
    rates = {
        "idle": {each.name: IDLE_RATE for each in field},
        "busy": {name: capacity * _BUSY for name, capacity in capacities.items()},
    }
    windows: dict[tuple[str, str], list[Window]] = {}
    for _ in range(amount.rounds):
        for load, seconds in (("idle", amount.idle_seconds), ("busy", amount.busy_seconds)):
            for each in field:
                rate = rates[load][each.name]
                count = max(round(rate * seconds), _LEAST) + _SKIPPED
                first, last = each.send(rate, count)
                windows.setdefault((load, each.name), []).append(Window(first, last, count))
    measured: dict[str, dict[str, Times]] = {"idle": {}, "busy": {}}
    for each in field:
        pickups = each.pickups()
        for load, found in measured.items():
            own = windows[load, each.name]
            found[each.name] = Times(
                rates[load][each.name], [window.times(each.name, pickups) for window in own]
            )
    return _part(field, capacities, measured)


def _part(
    field: list[PickupContender],
    capacities: dict[str, float],
    measured: dict[str, dict[str, Times]],
) -> Part:
    part = Part("Pickup: from the LPUSH to the start of the job, µs")
    part.lines.append(
        f"{'':<14}{'rate/s':>9}" + "".join(f"{name:>9}" for name in SHARES)
        + f"{'samples':>9}"
    )
    for load, title in (("idle", "idle worker"), ("busy", "at half of what it can do")):
        part.lines.append(title)
        for each in field:
            times = measured[load][each.name]
            part.lines.append(
                f"  {each.name:<12}{times.rate:>9,.0f}"
                + "".join(f"{times.all(share):>9,.0f}" for share in SHARES.values())
                + f"{sum(len(one) for one in times.rounds):>9,}"
            )
    part.lines += [f"{each.name}: {each.settings}" for each in field]
    part.record = {
        "capacity": {name: round(rate, 1) for name, rate in capacities.items()},
        "settings": {each.name: each.settings for each in field},
        **{
            load: {name: times.record() for name, times in found.items()}
            for load, found in measured.items()
        },
    }
    idle = measured["idle"]
    for name in ("p50", "p99"):
        part.goals += [
            _goal(name, idle, FLOOR, "a bare BRPOP client", RATIO_GOAL),
            _goal(name, idle, "Sidekiq", "Sidekiq", 1.0),
        ]
    part.record["goals"] = [asdict(goal) for goal in part.goals]
    return part


def _goal(name: str, idle: dict[str, Times], rival: str, shown: str, limit: float) -> Goal:
    """The median of the rounds' ratios; a round in which the machine was away weighs no more."""
    ours, theirs = idle["Backhaul"], idle[rival]
    share = SHARES[name]
    ratios = [
        own / other for own, other in zip(ours.of_rounds(share), theirs.of_rounds(share))
    ]
    ratio = statistics.median(ratios)
    return Goal(
        measure=f"pickup {name} at {IDLE_RATE:g}/s, against {shown}",
        goal=f"≤ {limit:g} ×" if limit > 1 else "below 1 ×",
        measured=f"{ratio:.2f} × ({min(ratios):.2f} to {max(ratios):.2f})",
        reached=ratio <= limit if limit > 1 else ratio < limit,
    )
