"""Schedulers that are killed every second: each tick is enqueued, once, and in time."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from chaos.crew import Crew, Role
from chaos.ground import Ground
from chaos.run import Run
from chaos.ticks import Rhythm, TickWatch, Verdict, judge, shown

LATE = 3.0  # seconds after its due time (and jitter) at which a tick counts as late
_QUEUE = "ticks"
_SCHEDULERS = 3
_KILLS = 120  # one each second
_AROUND = (-0.03, 0.15)  # seconds around a full second, when all of them enqueue
_JITTER = 2  # seconds
_RHYTHMS = {
    **{f"second-{n}": Rhythm(1) for n in range(1, 6)},
    "minute": Rhythm(60),
    "minute-crontab": Rhythm(60),
    "jitter": Rhythm(2, jitter=_JITTER),
}
_OPTIONS = {
    "second-2": "misfire: skip",
    "second-3": "overlap: allow",
    "jitter": f"jitter: {_JITTER}s",
}
_START_LIMIT = 20.0  # seconds until schedulers must have sent their first tick


def schedule(rhythms: dict[str, Rhythm]) -> str:
    """The entries as a file."""
    lines = ["entries:"]
    for name, rhythm in rhythms.items():
        due = 'crontab: "* * * * *"' if "crontab" in name else f"every: {rhythm.every}s"
        lines += [f"  {name}:", "    job: backhaul.ping", f"    {due}", f"    queue: {_QUEUE}"]
        if name in _OPTIONS:
            lines.append(f"    {_OPTIONS[name]}")
    return "\n".join(lines) + "\n"


def crew_of(ground: Ground, count: int, path: Path, prefixes: tuple[str, ...] = ("",)) -> Crew:
    """Schedulers on one file; the nth takes the nth prefix for its keys, in turn."""
    roles = []
    for number in range(count):
        prefix = prefixes[number % len(prefixes)]
        environment = {"BACKHAUL_REDIS_KEY_PREFIX": prefix} if prefix else {}
        arguments = ("scheduler", "--schedule", str(path))
        roles.append(Role(f"scheduler-{number + 1}", arguments, environment))
    return Crew(ground, roles)


def schedulers(run: Run) -> None:
    """Three, of which one is killed every second for two minutes, half of them at a tick."""
    ground, rng, outcome = run.ground, run.rng("kills"), run.outcome
    path = ground.sandbox.directory / "storm.yaml"
    path.write_text(schedule(_RHYTHMS))
    watch = TickWatch(ground.sandbox.redis_url, [_QUEUE])
    watch.start()
    crew = crew_of(ground, _SCHEDULERS, path)
    crew.start()
    first_ticks(run, crew, watch)
    begin, kills, wanted = time.time(), 0, run.scaled(_KILLS, least=10)
    while kills < wanted and run.left > 0:
        # In half of the seconds all are just enqueuing, in the other half nothing may happen.
        phase = rng.uniform(*_AROUND) if rng.random() < 0.5 else rng.uniform(_AROUND[1], 0.95)
        wake = int(begin) + 1 + kills + phase
        run.pause(
            max(wake - time.time(), 0), crew,
            lambda: f"{kills} kills · {len(watch.arrivals):,} ticks",
        )
        crew.kill(rng.choice(crew.names))
        kills += 1
        outcome.faults["SIGKILL of a scheduler"] += 1
    end = time.time()
    run.pause(LATE + _JITTER, crew, lambda: "the last ticks")
    bad = crew.stop()
    verdict = judge(_RHYTHMS, watch.finish(), begin, end, limit=LATE)
    run.check_reached("schedulers killed, one each second", kills, wanted)
    tell(run, verdict)
    run.check_alive(crew)
    outcome.check("exit", "exit status after TERM", "; ".join(bad) or "0", not bad)


def tell(run: Run, verdict: Verdict) -> None:
    """The verdict as checks."""
    outcome = run.outcome
    outcome.facts["ticks due"] = f"{verdict.expected:,}"
    outcome.facts["latest"] = f"{verdict.latest:.2f} s after it was due"
    for key, label in (
        ("missing", "ticks missing"),
        ("doubled", "ticks enqueued twice"),
        ("late", f"ticks more than {LATE:g} s late"),
        ("strays", "ticks that were not due"),
    ):
        found = getattr(verdict, key)
        outcome.check(key, label, shown(found), not found)


def first_ticks(run: Run, crew: Crew, watch: TickWatch, count: int = 1) -> None:
    """Waits until ticks come, which they do from when their entries were first seen."""
    before = len(watch.arrivals)
    run.wait(
        lambda: watch.failure is not None or len(watch.arrivals) >= before + count,
        crew,
        within=_START_LIMIT,
        text="waiting for the first tick",
    )


def control_ticks(run: Run) -> None:
    """The verdict must see a ledger for each scheduler, a ledger set ahead, and a halt."""
    ground, outcome = run.ground, run.outcome
    rhythms = {name: _RHYTHMS[name] for name in ("second-1", "second-3")}
    path = ground.sandbox.directory / "control.yaml"
    path.write_text(schedule(rhythms))
    found = {
        "a ledger for each scheduler: enqueued twice": bool(two_ledgers(run, rhythms, path).doubled)
    }
    watch = TickWatch(ground.sandbox.redis_url, [_QUEUE])
    watch.start()
    crew = crew_of(ground, 2, path)
    crew.start()
    first_ticks(run, crew, watch)
    begin = time.time()
    ahead = round(begin + 3) * 1000
    ground.redis.hset("backhaul:ticks", mapping={"second-1": ahead})
    run.pause(5, crew, lambda: "the ledger is ahead")
    outcome.faults["ledger set ahead"] += 1
    verdict = judge(rhythms, watch.arrivals, begin, begin + 4, limit=LATE)
    found["ledger set ahead: missing"] = bool(verdict.missing)
    begin = time.time()
    crew.send(signal.SIGSTOP)
    outcome.faults["SIGSTOP of all schedulers"] += 1
    run.pause(LATE + 1.5, crew, lambda: "all schedulers are stopped")
    crew.send(signal.SIGCONT)
    run.pause(1.5, crew, lambda: "all schedulers go on")
    crew.stop()
    verdict = judge(rhythms, watch.finish(), begin, begin + LATE, limit=LATE)
    found["schedulers stopped for 4.5 s: late"] = bool(verdict.late)
    for what, seen in found.items():
        outcome.check("control", what, "seen" if seen else "NOT SEEN", seen)


def two_ledgers(run: Run, rhythms: dict[str, Rhythm], path: Path) -> Verdict:
    """Two schedulers that do not share where ticks are recorded, read as one queue."""
    lists = [_QUEUE, "apart:" + _QUEUE]
    watch = TickWatch(run.ground.sandbox.redis_url, lists)
    watch.start()
    crew = crew_of(run.ground, 2, path, ("", "apart:"))
    crew.start()
    first_ticks(run, crew, watch)
    begin = time.time()
    run.pause(5, crew, lambda: "two ledgers")
    run.outcome.faults["ledger of its own"] += 1
    crew.stop()
    return judge(rhythms, watch.finish(), begin, begin + 3, limit=LATE)
