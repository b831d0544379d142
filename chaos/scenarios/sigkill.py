"""kill -9 at random moments, through a mixed fleet of Swift and Python workers."""

from __future__ import annotations

import os
import signal

from chaos.fleet import Fleet, Post, children_of
from chaos.messages import Mixture
from chaos.proxy import Proxy
from chaos.recovery import RecoveryClock
from chaos.run import LIMIT, Run
from demo.children import Child

_MEAN_PAUSE = 0.55  # seconds between two kills
_SHORTEST, _LONGEST = 0.05, 2.0
_PROXY_DELAY = 0.01  # seconds: one worker is far from Redis, so that scripts are under way longer
_REPLAYED_AT_ONCE = 50  # entries
NAMES = {"worker": "worker", "supervised": "supervised worker", "supervisor": "supervisor"}
_NO_SCHEDULE = "entries: {}\n"  # this scheduler is here to put back what dead workers held


def mixed(run: Run, *, python: int = 1, supervised: bool = True, kill_python: bool = False) -> None:
    """At the default budget 220 kills and 60,000 jobs or more."""
    ground, rng = run.ground, run.rng("kills")
    proxy = Proxy(ground.sandbox.redis_url, run.rng("network"))
    proxy.delay(_PROXY_DELAY)
    posts = [
        Post("a"),
        Post("b", concurrency=8),
        Post("far", environment={"REDIS_URL": proxy.url}),
        Post("pair", processes=2) if supervised else Post("c", concurrency=64),
    ]
    fleet = Fleet(ground, posts)
    fleet.start()
    scheduler = ground.scheduler("steady", _NO_SCHEDULE)
    pythons = [ground.python_worker(f"python-{n}", processes=2) for n in range(1, python + 1)]
    clock = RecoveryClock(ground.sandbox.redis_url)
    clock.start()
    wanted_jobs, wanted_kills = run.scaled(50_000), run.scaled(200, least=5)
    # More is sent than is asked for, spread over the storm, so that there is work at every kill.
    feeder = run.feeder(Mixture(), backlog=1500, most=run.scaled(120_000), command_each=2.0)
    kills = python_kills = 0
    while run.left > 0 and (
        kills < run.scaled(220, least=6) or run.books.accepted_count < run.scaled(60_000)
    ):
        pause = min(max(rng.expovariate(1 / _MEAN_PAUSE), _SHORTEST), _LONGEST)
        run.pause(
            pause,
            fleet,
            lambda: f"{kills} kills · {run.books.accepted_count:,} jobs sent",
        )
        victims = fleet.victims()
        if not victims:
            continue
        victim = rng.choice(victims)
        fault = f"SIGKILL of a {NAMES[victim.kind]}"
        held = clock.look()
        for pid in fleet.kill(victim):
            clock.died(pid, fault, held.get(pid, 0))
        kills += 1
        run.outcome.faults[fault] += 1
        if kill_python and kills % 10 == 0 and pythons:
            python_kills += kill_a_child(pythons[0])
            run.outcome.faults["SIGKILL of a Python worker's child"] = python_kills
    feeder.finish()
    run.outcome.facts["queue drained"] = f"{run.drain(fleet):.1f} s after the last kill"
    condemned = replay_quarantine(run, fleet)
    stuck = clock.finish(within=LIMIT + 5)
    run.outcome.recovery.update(clock.times)
    proxy.close()
    statuses = fleet.stop()
    scheduler.stop()
    for child in pythons:
        child.stop()
    run.outcome.facts["messages orphaned"] = f"{clock.orphaned:,}"
    run.outcome.facts["killed with empty hands"] = clock.empty_handed
    run.outcome.facts["unlucky: held by three that were killed, replayed"] = condemned
    tally = run.close_books()
    by_python = ground.rows("select count(*) from drill_effects where worker = 'python'")[0][0]
    run.outcome.facts["effects by Python"] = f"{by_python:,}"
    run.check_reached("jobs accepted", tally.accepted, wanted_jobs)
    run.check_reached("processes killed", kills, wanted_kills)
    for fault in sorted(clock.times):
        run.check_recovery(fault)
    run.outcome.check("recovery", "never recovered", stuck, stuck == 0)
    if python:
        run.outcome.check(
            "python", "Python worker had its share", f"{by_python:,}", by_python > 0
        )
    run.check_alive(fleet)
    bad = [f"{name}: {status}" for name, status in statuses.items() if status != 0]
    run.outcome.check("exit", "exit status after TERM", "; ".join(bad) or "0", not bad)


def replay_quarantine(run: Run, fleet: Fleet) -> int:
    """Puts back what the brake took out; how many.

    Who is killed at random every other second looks like the victim of what it held, and a few of
    the messages meet three kills. An operator would replay them, and so does this suite.
    """
    entries = [str(entry["entry"]) for entry in run.ground.shelf("quarantine")]
    for start in range(0, len(entries), _REPLAYED_AT_ONCE):
        run.ground.backhaul("quarantine", "replay", *entries[start : start + _REPLAYED_AT_ONCE])
    if entries:
        run.drain(fleet)
    return len(entries)


def kill_a_child(python: Child) -> int:
    """kill -9 of one pool process of a Celery worker; how many were killed."""
    for pid in children_of(python.pid)[:1]:
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0


def reserve_control(run: Run) -> None:
    """Every worker is far from Redis, so that a pop and its record are far apart."""
    proxy = Proxy(run.ground.sandbox.redis_url, run.rng("network"))
    proxy.delay(0.05)
    posts = [Post(f"far{n}", environment={"REDIS_URL": proxy.url}) for n in range(1, 4)]
    fleet = Fleet(run.ground, posts)
    fleet.start()
    feeder = run.feeder(Mixture(slow_share=0), backlog=500, most=10_000)
    rng, kills = run.rng("kills"), 0
    while run.left > 0 and kills < 40:
        run.pause(rng.uniform(0.2, 0.5), fleet, lambda: f"{kills} kills")
        fleet.kill(rng.choice(fleet.victims()))
        kills += 1
    feeder.finish()
    run.outcome.faults["SIGKILL of a worker"] = kills
    run.drain(fleet)
    fleet.stop()
    proxy.close()
    run.close_books()
