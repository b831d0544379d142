"""A worker stops in the middle of its jobs, loses them, and goes on as if nothing had been."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from chaos.books import id_of
from chaos.fleet import Fleet, Post, Victim
from chaos.logs import outcomes_of
from chaos.messages import Mixture
from chaos.proxy import Proxy
from chaos.recovery import tags_of
from chaos.run import LIMIT, Run

_SETTLE_IN = 1.5  # seconds for what was on its way to Redis when the worker stopped
_LONGEST_SLEEP = 3.0  # seconds a zombie may sleep on after its jobs were taken over
_END_LIMIT = 15.0  # seconds until a resumed worker must have told the end of what it held
_FAR = 0.4  # seconds that each message to and from a far Redis takes at most
_GROUP = 3  # workers stopped at once
_WORKERS = 6
_STEADY = 2  # workers that are never stopped, and take over


@dataclass
class Zombie:
    """A stopped worker and what it held."""

    victim: Victim
    log: Path
    stopped: float
    held: dict[bytes, str]  # tag → task id
    told_before: dict[str, list[str]]


def zombies(run: Run, *, wanted: int | None = None, near: int = 3) -> None:
    """At the default budget 21 zombies, with some sixteen jobs each; the first `near` of the six
    workers have Redis beside them, the others far away."""
    ground, rng, outcome = run.ground, run.rng("stops"), run.outcome
    wanted = run.scaled(20, least=3) if wanted is None else wanted
    # Who is far from Redis hears late that its lease is gone, and meets the fence at PostgreSQL.
    proxy = Proxy(ground.sandbox.redis_url, run.rng("network"))
    proxy.delay(_FAR)
    far = {"REDIS_URL": proxy.url}
    posts = [
        Post(f"z{n}", concurrency=16, environment=far if n >= near else {})
        for n in range(_WORKERS)
    ]
    posts += [Post(f"steady{n}", concurrency=64) for n in range(_STEADY)]
    fleet = Fleet(ground, posts)
    fleet.start()
    mixture = Mixture(slow_share=1, slow_milliseconds=(1500, 4000), result_share=0.5)
    feeder = run.feeder(mixture, backlog=60, most=1_000_000, celery_share=0.2)
    seen: list[Zombie] = []
    late = silent = 0
    while run.left > 0 and len(seen) < wanted:
        run.pause(rng.uniform(2.0, 3.0), fleet, lambda: f"{len(seen)} zombies so far")
        names = rng.sample([f"z{n}" for n in range(_WORKERS)], _GROUP)
        group = stopped(run, fleet, names)
        outcome.faults["SIGSTOP past the lease"] += len(group)
        taken = run.wait(
            lambda group=group: not still_held(ground.redis, group),
            fleet,
            within=LIMIT + 5,
            text=f"{len(seen)} zombies so far; {len(group)} sleep until their jobs are taken",
        )
        if not taken:
            outcome.check("recovery", "jobs of a stopped worker were taken over", "no", False)
        run.pause(rng.uniform(0, _LONGEST_SLEEP), fleet, lambda: "they sleep on")
        for zombie in group:
            fleet.child(zombie.victim.post).send(signal.SIGCONT)
        run.wait(
            lambda group=group: all(told(zombie) for zombie in group),
            fleet,
            within=_END_LIMIT,
            text="they finish what is no longer theirs",
        )
        seen += group
    feeder.finish()
    run.drain(fleet)
    fleet.stop()
    proxy.close()
    tally = run.close_books()
    refused = 0
    for zombie in seen:
        found = late_ends(zombie)
        refused += found.count("lease_lost")
        silent += len(zombie.held) - len(found)
        late += sum(word not in ("lease_lost",) for word in found)
    held = sum(len(zombie.held) for zombie in seen)
    outcome.late_settles_refused = refused
    outcome.late_commits_refused = refused_commits(run, seen)
    outcome.facts["jobs held by zombies"] = held
    outcome.facts["ended without an effect of their own"] = outcome.late_commits_refused
    outcome.facts["not told by the zombie"] = silent
    run.check_reached("zombies", len(seen), wanted)
    run.check_reached("jobs they held", held, len(seen) * 4)
    outcome.check("fence", "late settles accepted", late, late == 0)
    outcome.check("fence", "late settles refused", refused, refused > 0)
    run.check_alive(fleet)
    assert tally.accepted


def stopped(run: Run, fleet: Fleet, names: list[str]) -> list[Zombie]:
    """SIGSTOP to each, and what they hold from then on."""
    for name in names:
        fleet.child(name).send(signal.SIGSTOP)
    at = time.monotonic()
    run.pause(_SETTLE_IN, fleet, lambda: "stopped")
    records = run.ground.redis.hgetall("unacked")
    found = []
    for name in names:
        child = fleet.child(name)
        tags = tags_of(child.pid, records)
        held = {tag: id_of(records[tag]) for tag in tags}
        found.append(
            Zombie(Victim(child.pid, "worker", name), child.log, at, held, outcomes_of(child.log))
        )
    return found


def still_held(client: redis.Redis, group: list[Zombie]) -> bool:
    left = set(client.zrange("unacked_index", 0, -1))
    return any(left & zombie.held.keys() for zombie in group)


def late_ends(zombie: Zombie) -> list[str]:
    """What the zombie told first of each job that it held, once it went on."""
    told_now = outcomes_of(zombie.log)
    ends = []
    for task_id in zombie.held.values():
        news = told_now.get(task_id, [])[len(zombie.told_before.get(task_id, [])) :]
        ends += news[:1]
    return ends


def told(zombie: Zombie) -> bool:
    return len(late_ends(zombie)) == len(zombie.held)


def refused_commits(run: Run, seen: list[Zombie]) -> int:
    """Jobs whose late run by the zombie left no row: the one that counts is another worker's."""
    count = 0
    for zombie in seen:
        rows = run.ground.rows(
            "select count(distinct job_id) from drill_effects"
            " where job_id = any(%s) and worker not like %s",
            (list(zombie.held.values()), f"%:{zombie.victim.pid}"),
        )
        count += int(rows[0][0])
    return count
