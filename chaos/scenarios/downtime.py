"""No scheduler for an hour: each misfire policy, to the tick."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from chaos.clock import WrongClock
from chaos.crew import Crew, Role
from chaos.run import Run
from chaos.ticks import Arrival, TickWatch

_QUEUE = "ticks"
_HOUR, _MINUTE = 3600.0, 60.0
# Where in an hour the schedulers end, and in the next one start: so that the newest tick of each
# minute is on time, and the newest one of ten minutes or more is not.
_PAST = 15 * 1.0 + 5 * _MINUTE
_GRACE = 60.0  # seconds that a tick may be late and still be on time
_COME = 20.0  # seconds until everything that is to come must have come
_QUIET = 1.5  # seconds in which nothing more may come


@dataclass(frozen=True)
class Entry:
    """One policy, and the ticks it must make up for: minutes after the hour the downtime began."""

    due: str
    policy: str
    expected: tuple[int, ...]


_MINUTELY, _TENTH, _QUARTER = "every: 1m", "every: 10m", 'crontab: "*/15 * * * *"'
_ALL_MINUTES = tuple(range(6, 66))  # 59 that were missed, and one that is on time
_ENTRIES = {
    "skip-minute": Entry(_MINUTELY, "misfire: skip", (65,)),
    # The one on time does the work of those before it.
    "once-minute": Entry(_MINUTELY, "misfire: run_once", (65,)),
    "all-minute": Entry(_MINUTELY, "misfire: run_all", _ALL_MINUTES),
    "all-minute-limit": Entry(
        _MINUTELY, "misfire: run_all\n    misfire_limit: 10", _ALL_MINUTES[-11:]
    ),
    "skip-tenth": Entry(_TENTH, "misfire: skip", ()),
    "once-tenth": Entry(_TENTH, "misfire: run_once", (60,)),
    "all-tenth": Entry(_TENTH, "misfire: run_all", (10, 20, 30, 40, 50, 60)),
    "all-tenth-limit": Entry(_TENTH, "misfire: run_all\n    misfire_limit: 2", (50, 60)),
    "once-crontab": Entry(_QUARTER, "misfire: run_once", (60,)),
    "all-crontab": Entry(_QUARTER, "misfire: run_all", (15, 30, 45, 60)),
}
_SECONDS = "skip-second"  # at every second of the last minute, and not before


def schedule() -> str:
    """All entries as a file."""
    lines = ["entries:"]
    for name, entry in {**_ENTRIES, _SECONDS: Entry("every: 1s", "misfire: skip", ())}.items():
        lines += [f"  {name}:", "    job: backhaul.ping", f"    queue: {_QUEUE}"]
        lines += [f"    {entry.due}", f"    {entry.policy}"]
    return "\n".join(lines) + "\n"


def downtime(run: Run) -> None:
    """One scheduler ends, an hour passes by the clock of the next three, and they compete."""
    ground, outcome = run.ground, run.outcome
    wrong = WrongClock(ground.sandbox.directory)
    path = ground.sandbox.directory / "downtime.yaml"
    path.write_text(schedule())
    hour = time.time() // _HOUR * _HOUR
    wrong.jump(hour + _PAST - time.time())
    watch = TickWatch(ground.sandbox.redis_url, [_QUEUE])
    watch.start()
    crew = crew_of(run, 1, path, wrong)
    known = len(_ENTRIES) + 1
    run.wait(
        lambda: ground.redis.hlen("backhaul:ticks") >= known and bool(watch.arrivals),
        crew,
        within=_COME,
        text="the schedule begins",
    )
    crew.kill_all()
    outcome.faults["hour without a scheduler"] += 1
    run.pause(_QUIET, crew, lambda: "an hour passes")
    before = len(watch.arrivals)
    returned = hour + _HOUR + _PAST
    wrong.jump(returned - time.time())
    crew = crew_of(run, 3, path, wrong)
    expected = sum(len(entry.expected) for entry in _ENTRIES.values())
    run.wait(
        lambda: sum(each.entry in _ENTRIES for each in watch.arrivals[before:]) >= expected,
        crew,
        within=_COME,
        text="three schedulers make up for it",
    )
    run.pause(_QUIET, crew, lambda: "nothing more may come")
    crew.kill_all()
    outcome.faults["SIGKILL of a scheduler"] += 3
    crew = crew_of(run, 3, path, wrong)
    run.pause(2 * _QUIET, crew, lambda: "nothing more may come, to others either")
    made_up = watch.arrivals[before:]
    # A minute of which they see the beginning: they go on as if nothing had been.
    after = len(watch.arrivals)
    wrong.jump(hour + _HOUR + 6 * _MINUTE + 0.5 - time.time())
    minutes = {name for name, entry in _ENTRIES.items() if entry.due == _MINUTELY}
    run.wait(
        lambda: {each.entry for each in watch.arrivals[after:]} >= minutes,
        crew,
        within=_COME,
        text="they go on",
    )
    run.pause(_QUIET, crew, lambda: "once each")
    bad = crew.stop()
    watch.finish()
    for name, entry in _ENTRIES.items():
        found = minutes_of(name, made_up, hour)
        text = f"{len(found)} of {len(entry.expected)}" + ("" if found else ", none")
        holds = found == list(entry.expected)
        if not holds:
            text += f": {found[:8]}… for {list(entry.expected[:8])}…"
        outcome.check("policy", told(entry), text, holds)
    check_seconds(run, made_up, returned)
    went_on = {name: minutes_of(name, watch.arrivals[after:], hour) for name in sorted(minutes)}
    outcome.check(
        "after", "then each minute once", "yes" if all_are(went_on, 66) else f"{went_on}",
        all_are(went_on, 66),
    )
    run.check_alive(crew)
    outcome.check("exit", "exit status after TERM", "; ".join(bad) or "0", not bad)


def told(entry: Entry) -> str:
    due = entry.due.replace("crontab: ", "").replace('"', "")
    return f"{due}, {entry.policy}".replace("misfire: ", "").replace("misfire_", "").replace(
        "\n    ", ", "
    )


def all_are(found: dict[str, list[int]], minute: int) -> bool:
    return all(each == [minute] for each in found.values())


def crew_of(run: Run, count: int, path: Path, wrong: WrongClock) -> Crew:
    """Schedulers of that clock, started."""
    arguments = ("scheduler", "--schedule", str(path))
    roles = [Role(f"scheduler-{n + 1}", arguments, wrong.environment()) for n in range(count)]
    crew = Crew(run.ground, roles)
    crew.start()
    return crew


def minutes_of(entry: str, arrivals: list[Arrival], hour: float) -> list[int]:
    """The due times of one entry in minutes after the hour, in the order of the queue."""
    return [round((each.due - hour) / _MINUTE) for each in arrivals if each.entry == entry]


def check_seconds(run: Run, arrivals: list[Arrival], returned: float) -> None:
    """Of each second those that were on time, in order, and none left out."""
    due = [each.due for each in arrivals if each.entry == _SECONDS]
    first = due[0] - returned + _GRACE if due else -1
    in_turn = all(later - earlier == 1 for earlier, later in zip(due, due[1:]))
    run.outcome.check(
        "policy", "each 1s, skip: from a minute ago", f"{len(due)}, from {first:+.0f} s",
        0 <= first <= _COME and in_turn and len(due) >= _GRACE,
    )
