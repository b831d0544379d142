"""What growth costs: longer queues, more queues, delayed jobs, more processes, a farther Redis.

Every variant has workers of its own, idle but for their turns; the variants of one question take
turns, round by round. Ratios are medians over the rounds, each to its own round's first variant.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

import redis

from Benchmarks import rounds
from Benchmarks.floor import compiled
from Benchmarks.growth_crew import BATCH, CONCURRENCY, TASK, Crew, Depot
from Benchmarks.growth_depth import Feeder
from Benchmarks.options import Options
from Benchmarks.part import Goal, Part
from demo.children import neutral_environment
from demo.sandbox import Sandbox

LATENCY = 1000  # µs added to every reply
_NEVER = 7 * 24 * 3600  # seconds; delayed jobs that stay in the background
_TO_PUT_ASIDE = 300.0  # seconds that may take
_PINGS = 200
_BY_PORT = 5.0  # seconds within which a proxy says where it listens


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    lengths: Sequence[int]
    delayed: int
    drained: int  # messages to a round of what is drained whole
    seconds: float  # for which a length is held

    @classmethod
    def of(cls, options: Options) -> Sizes:
        if options.quick:
            return cls((100, 10_000, 100_000), 100_000, 25_000, 0.4)
        return cls((100, 10_000, 1_000_000), 1_000_000, 200_000, 1.0)


@dataclass(frozen=True)
class Variant:
    """One of the answers to a question, in jobs per second for each round."""

    label: str
    rates: list[float]
    ratios: list[float]  # to the first variant of the question, in the same round

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def line(self, width: int) -> str:
        return (
            f"{self.label:<{width}}{self.rate:>10,.0f}{min(self.rates):>10,.0f}"
            f"{max(self.rates):>10,.0f}{self.ratio:>10.2f}"
            f"   {min(self.ratios):.2f} … {max(self.ratios):.2f}"
        )


@dataclass(frozen=True)
class Question:
    """What grows, and the rates from the smallest to the largest."""

    name: str
    variants: list[Variant]
    notes: list[str] = field(default_factory=list)

    @property
    def last(self) -> Variant:
        return self.variants[-1]


def run(sandbox: Sandbox, binary: Path, options: Options) -> Part:
    sizes = Sizes.of(options)
    # A Redis of its own: a million messages and a million delayed jobs go with it.
    with Sandbox("bench-growth") as place:
        depot = Depot(place, sandbox.database_url, binary)
        depot.keep(sizes.drained, ["bench"])
        questions = [
            lengths(depot, sizes, options.rounds),
            delayed(depot, sizes, options.rounds),
            latency(depot, options),
            queues(depot, sizes, options.rounds),
            processes(depot, options.rounds),
        ]
    return report(questions, sizes, options.rounds)


def lengths(depot: Depot, sizes: Sizes, count: int) -> Question:
    crew = Crew(depot, "length")
    feeder = Feeder(crew, depot.template)
    for length in sizes.lengths:
        feeder.prepare(length)

    seen: dict[int, list[float]] = {length: [] for length in sizes.lengths}

    def turn(length: int) -> Callable[[], float]:
        def hold() -> float:
            held = feeder.hold(length, sizes.seconds)
            seen[length].append(held.length)
            return held.rate

        return hold

    asked = ask("queue length", {f"{each:,}": turn(each) for each in sizes.lengths}, count)
    note = "; ".join(f"{statistics.median(each):,.0f}" for each in seen.values())
    asked.notes.append(f"held at these lengths by a feeder; medians that it saw: {note}")
    crew.disband()
    crew.client.flushdb(asynchronous=True)
    return asked


def delayed(depot: Depot, sizes: Sizes, count: int) -> Question:
    none, many = Crew(depot, "no delayed jobs"), Crew(depot, "delayed jobs")
    put_aside(depot, many.url, sizes.delayed)
    asked = ask("delayed jobs", {"0": none.drain, f"{sizes.delayed:,}": many.drain}, count)
    waiting = int(many.client.zcard("backhaul:delayed"))
    if waiting != sizes.delayed:
        raise rounds.RoundFailure(f"{waiting:,} of {sizes.delayed:,} delayed jobs were there")
    for crew in (none, many):
        crew.disband()
    many.client.flushdb(asynchronous=True)
    return asked


def put_aside(depot: Depot, url: str, jobs: int) -> None:
    """Has the product's own command enqueue jobs that stay delayed."""
    arguments = ["--count", str(jobs), "--countdown", str(_NEVER)]
    subprocess.run(
        [os.fspath(depot.binary), "enqueue", TASK, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=_TO_PUT_ASIDE,
        env={**neutral_environment(), "REDIS_URL": url},
    )


def latency(depot: Depot, options: Options) -> Question:
    """The same proxy before both, so that what differs is the time it holds replies.

    The proxy itself takes part of a processor; how much that matters, the row without it shows.
    """
    program = compiled("delay", options.work)
    crews, echoes = {}, []
    for microseconds in (0, LATENCY):
        port = proxy(depot, program, microseconds)

        def through(url: str, port: int = port) -> str:
            return url.replace(f":{urlsplit(url).port}/", f":{port}/")

        label = f"{microseconds / 1000:g} ms, by proxy"
        crews[label] = Crew(depot, label, reached_by=through)
        echoes.append(f"{round_trip(through(crews[label].url)):.2f} ms")
    crews["none, no proxy"] = Crew(depot, "no proxy")
    asked = ask_and_disband("added latency", crews, options.rounds)
    asked.notes.append(f"a PING by way of each, beforehand: {', '.join(echoes)}")
    return asked


def round_trip(url: str) -> float:
    """The median time of a PING, ms."""
    times = []
    with redis.Redis.from_url(url) as client:
        for _ in range(_PINGS):
            started = time.perf_counter()
            client.ping()
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def proxy(depot: Depot, program: Path, microseconds: int) -> int:
    """Starts a delaying proxy; returns its port."""
    server = urlsplit(depot.sandbox.redis_url).port
    child = depot.sandbox.spawn(
        f"delay-{microseconds}", [program, str(server), str(microseconds)]
    )
    child.wait_until(lambda: child.log.read_text().endswith("\n"), within=_BY_PORT, what="port")
    return int(child.log.read_text())


def queues(depot: Depot, sizes: Sizes, count: int) -> Question:
    crews = {}
    for number in (1, 10, 100):
        names = [f"bench-{number}-{each:03}" for each in range(number)]
        depot.keep(sizes.drained, names)
        crews[str(number)] = Crew(depot, f"{number} queues", queues=names)
    return ask_and_disband("queues", crews, count)


def processes(depot: Depot, count: int) -> Question:
    crews = {
        str(number): Crew(depot, f"{number} processes", processes=number) for number in (1, 4, 16)
    }
    return ask_and_disband("worker processes", crews, count)


def ask_and_disband(name: str, crews: dict[str, Crew], count: int) -> Question:
    asked = ask(name, {label: crew.drain for label, crew in crews.items()}, count)
    with ExitStack() as ends:
        for crew in crews.values():
            ends.callback(crew.disband)
    return asked


def ask(name: str, turns: dict[str, Callable[[], float]], count: int) -> Question:
    """All rounds, the variants taking turns; the first round warms up and is not counted."""
    rates: dict[str, list[float]] = {label: [] for label in turns}
    for number in range(count + 1):
        for label, turn in turns.items():
            rate = turn()
            if number:
                rates[label].append(rate)
    first = next(iter(rates.values()))
    return Question(
        name,
        [
            Variant(label, each, [rate / base for rate, base in zip(each, first, strict=True)])
            for label, each in rates.items()
        ],
    )


def report(questions: list[Question], sizes: Sizes, count: int) -> Part:
    part = Part("Growth: jobs per second of no-ops, results ignored")
    part.lines.append(
        f"concurrency {CONCURRENCY}, batches of {BATCH}; {count} rounds in turns; queue lengths "
        f"held for {sizes.seconds:g} s,"
    )
    part.lines.append(f"all else drained, {sizes.drained:,} messages a round")
    width = max(len(each.label) for asked in questions for each in asked.variants) + 2
    for asked in questions:
        heads = f"{'jobs/s':>10}{'lowest':>10}{'highest':>10}{'of first':>10}   spread"
        part.lines += ["", f"{asked.name:<{width}}{heads}"]
        part.lines += [each.line(width) for each in asked.variants] + asked.notes
        part.record[asked.name.replace(" ", "_")] = {
            each.label: {
                "jobs_per_second": round(each.rate, 1),
                "of_first": round(each.ratio, 3),
                "rounds": [round(rate, 1) for rate in each.rates],
            }
            for each in asked.variants
        }
    by_name = {asked.name: asked for asked in questions}
    for name in ("queue length", "delayed jobs"):
        part.goals.append(steady(by_name[name]))
    far = by_name["added latency"].variants[1].ratio
    part.goals.append(
        Goal("drain with 1 ms added to every Redis reply", "≥ 0.8", f"{far:.2f}", far >= 0.8)
    )
    return part


def steady(asked: Question) -> Goal:
    """Growth must not cost more than a tenth, from any size to any larger one; to gain is no fault.

    Were all compared with the smallest alone, a loss further up could hide behind a gain before it.
    """
    pairs = combinations((each.rates for each in asked.variants), 2)
    worst = min(
        statistics.median(large / small for small, large in zip(*pair, strict=True))
        for pair in pairs
    )
    first, last = asked.variants[0].label, asked.last.label
    return Goal(
        f"drain, {asked.name} {first} → {last}",
        "within 10 %",
        f"{(worst - 1) * 100:+.0f} %",
        worst >= 0.9,
    )
