"""Chords whose workers are killed: each body is sent once, with every result in its place."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import dataclass

from celery import Celery, chord

from chaos.books import id_of
from chaos.fleet import Fleet, Post, children_of
from chaos.ground import LISTS, QUEUE, Ground
from chaos.logs import lines, outcomes_of
from chaos.proxy import Proxy
from chaos.run import DRAIN_LIMIT, Run
from demo.children import Child

_MEMBERS = 1000  # of the large chord
_SMALL_EACH, _SMALL_MEMBERS = 3, 5  # sent before each kill, so that it meets chords that end
_MILLISECONDS = (350, 750)  # a member sleeps; all together longer than the kills take
_QUICK = (20, 200)  # the same for small chords
_BODIES = QUEUE + "-bodies"  # nobody serves it before all is over, so that bodies can be counted
_FAR = 0.4  # seconds that each message to and from a far Redis takes at most
_FAR_WEIGHT = 3  # how much more often it is killed
_LATER = 3  # priority of the large chord's members: the small ones go first
_MEAN_PAUSE = 0.7  # seconds between two kills
_VISIBILITY_TIMEOUT = 10  # seconds until what a killed Python worker held is put back
_RESULT_LIMIT = 30  # seconds until a body must have run, once somebody serves its queue
_WORKER, _CHILD, _PYTHON = "worker", "Python worker's child", "Python worker"
_VICTIMS = [_WORKER] * 13 + [_CHILD] * 4 + [_PYTHON] * 3
_RECOVERED = "ended a chord that its last member's worker left open"
_OWNED = (  # keys that live for ever, and who looks after them does not die with a chord
    *("_kombu.binding", "unacked", "backhaul:workers", "backhaul:presence", "backhaul:fence"),
    *("backhaul:counters", "backhaul:overdue"),
)


@dataclass(frozen=True)
class Sent:
    """A chord, and what it must come to."""

    body: str
    members: frozenset[str]
    values: list[int]


class Pythons:
    """Celery workers, started again when they were killed."""

    def __init__(self, ground: Ground, count: int) -> None:
        self._ground = ground
        self._starts = 0
        self._children = [self._start() for _ in range(count)]

    def tend(self) -> None:
        for place, child in enumerate(self._children):
            if child.exit_status is not None:
                self._children[place] = self._start()

    def living(self) -> list[Child]:
        """Those whose pool has come up."""
        return [each for each in self._children if children_of(each.pid)]

    def stop(self) -> None:
        for child in self._children:
            child.stop()

    def _start(self) -> Child:
        self._starts += 1
        return self._ground.python_worker(
            f"python-{self._starts}", processes=2, visibility_timeout=_VISIBILITY_TIMEOUT
        )


def chords(run: Run) -> None:
    """One of 1,000 members and sixty small ones; 20 kills of Swift and Python workers."""
    ground, rng, outcome = run.ground, run.rng("kills"), run.outcome
    environment = {
        "BACKHAUL_WORKER_VISIBILITY_TIMEOUT_SECONDS": str(_VISIBILITY_TIMEOUT),
        # Who is killed every other second looks like the victim of what it held.
        "BACKHAUL_WORKER_MAXIMUM_DEATHS": "50",
    }
    proxy = Proxy(ground.sandbox.redis_url, run.rng("network"))
    proxy.delay(_FAR)  # between a claim and the end of a chord
    posts = [Post(name, 8, environment=environment) for name in "ab"]
    posts.append(Post("far", 16, environment={**environment, "REDIS_URL": proxy.url}))
    fleet = Fleet(ground, posts)
    fleet.start()
    pythons = Pythons(ground, 2)
    url = ground.sandbox.redis_url
    with Celery("chords", broker=url, backend=url, set_as_current=False) as app:
        numbers = run.rng("members")
        large = send(
            app, numbers, _MEMBERS, priority=_LATER, milliseconds=_MILLISECONDS
        )
        sent = [large]
        victims = list(_VICTIMS)
        rng.shuffle(victims)
        open_at_kill = kills = 0
        while victims and run.left > 0:
            pythons.tend()
            if len(sent) <= kills * _SMALL_EACH + 1:
                sent += [send(app, numbers, _SMALL_MEMBERS) for _ in range(_SMALL_EACH)]
            run.pause(
                min(rng.expovariate(1 / _MEAN_PAUSE), 2.0), fleet, lambda: f"{kills} kills"
            )
            if not killed(victims[-1], run, fleet, pythons, sent):
                continue  # nobody of that kind is up just now
            fault = f"SIGKILL of a {victims.pop()}"
            outcome.faults[fault] += 1
            kills += 1
            open_at_kill += large.body not in waiting_bodies(ground)
        gathered = run.wait(
            lambda: pythons.tend() or len(waiting_bodies(ground)) >= len(sent),
            fleet,
            within=DRAIN_LIMIT,
            text="waiting for the last members",
        )
        # Nobody waits for them; when this program ends they would call a Redis that is gone.
        app.backend._pending_results.concrete.clear()
    # A record of a chord that Python ended goes when it is looked at next.
    run.wait(
        lambda: ground.backlog() == 0 and ground.redis.zcard("backhaul:chords") == 0,
        fleet,
        within=DRAIN_LIMIT,
        text="draining the queue",
    )
    bodies = waiting_bodies(ground)
    ends = run_bodies(run, sent) if gathered else []
    members = frozenset().union(*(each.members for each in sent))
    by_swift = len(members & ended_by_swift(ground))
    outcome.facts["chords ended for a dead worker"] = sum(
        _RECOVERED in line for line in lines(ground.swift_logs())
    )
    fleet.stop()
    proxy.close()
    pythons.stop()
    run.check_reached("processes killed", kills, len(_VICTIMS))
    run.check_reached("killed while the large chord was open", open_at_kill, len(_VICTIMS))
    missing = len({each.body for each in sent} - set(bodies))
    outcome.check("lost", "bodies never sent", missing, missing == 0)
    doubled = len(bodies) - len(set(bodies))
    outcome.check("doubled", "bodies sent twice", doubled, doubled == 0)
    wrong = sum(not end for end in ends)
    holds = len(ends) == len(sent) and wrong == 0
    outcome.check("values", "bodies with a wrong result", wrong, holds)
    all_of_large = bool(ends) and ends[sent.index(large)]
    outcome.check("values", f"all {_MEMBERS:,} results, in order", all_of_large, all_of_large)
    by_python = len(members) - by_swift
    outcome.check("mixed", "members ended by Python workers", by_python, by_python > 0)
    outcome.check("mixed", "members ended by Swift workers", f"{by_swift:,}", by_swift > 0)
    left = keys_left(ground)
    outcome.check("keys", "keys without owner or end", ", ".join(left[:3]) or "0", not left)
    run.check_alive(fleet)


def ended_by_swift(ground: Ground) -> frozenset[str]:
    """The ids of jobs that a Swift worker told the good end of."""
    return frozenset(
        job
        for log in ground.swift_logs()
        for job, ends in outcomes_of(log).items()
        if "succeeded" in ends
    )


def send(
    app: Celery, rng: random.Random, count: int, *, priority: int = 0,
    milliseconds: tuple[int, int] = _QUICK,
) -> Sent:
    """One chord, as any Celery client sends it."""
    header = [
        app.signature(
            "drill.number",
            kwargs={"number": number, "milliseconds": rng.randint(*milliseconds)},
            queue=QUEUE,
            priority=priority,
        )
        for number in range(count)
    ]
    result = chord(header, app=app)(app.signature("drill.gather", queue=_BODIES))
    ids = frozenset(each.id for each in result.parent.results)
    return Sent(result.id, ids, list(range(count)))


def killed(kind: str, run: Run, fleet: Fleet, pythons: Pythons, sent: list[Sent]) -> bool:
    """kill -9 of one of that kind; false when there is none, or it must not be killed now."""
    rng = run.rng(f"victim-{run.outcome.faults.total()}")
    if kind == _WORKER:
        victims = fleet.victims()
        # Who is far from Redis takes longest to end a chord, so it dies most often while it does.
        weights = [_FAR_WEIGHT if each.post == "far" else 1 for each in victims]
        return bool(victims) and bool(fleet.kill(rng.choices(victims, weights)[0]))
    living = pythons.living()
    if not living:
        return False
    child = rng.choice(living)
    if kind == _CHILD:
        os.kill(rng.choice(children_of(child.pid)), signal.SIGKILL)
        return True
    child.send(signal.SIGSTOP)
    if not all_recorded(run.ground, sent):
        # It has popped what it has not recorded yet: Celery would lose it, and not we.
        child.send(signal.SIGCONT)
        return False
    for pid in children_of(child.pid):
        os.kill(pid, signal.SIGKILL)
    child.kill()
    return True


def all_recorded(ground: Ground, sent: list[Sent]) -> bool:
    """Whether each member is on a list, in flight, put off, or done."""
    pipeline = ground.redis.pipeline(transaction=True)
    for name in LISTS:
        pipeline.lrange(name, 0, -1)
    pipeline.hvals("unacked")
    pipeline.hvals("backhaul:delayed:messages")
    found = {id_of(raw) for group in pipeline.execute() for raw in group}
    missing = list(frozenset().union(*(each.members for each in sent)) - found)
    if not missing:
        return True
    return all(ground.redis.mget([f"celery-task-meta-{each}" for each in missing]))


def waiting_bodies(ground: Ground) -> list[str]:
    """The ids of the bodies that were sent."""
    return [id_of(raw) for raw in ground.redis.lrange(_BODIES, 0, -1)]


def run_bodies(run: Run, sent: list[Sent]) -> list[bool]:
    """Lets the bodies run; for each chord whether its body ran once and has every result."""
    ground = run.ground
    worker = ground.sandbox.spawn(
        "swift-bodies-1",
        [
            *(ground.binary, "worker", "--queues", _BODIES, "--log-level", "info"),
            *("--set", "database.pool_size=2"),
        ],
        environment=ground.environment(),
    )
    ends = []
    for each in sent:
        deadline = time.monotonic() + _RESULT_LIMIT
        while (record := ground.redis.get(f"celery-task-meta-{each.body}")) is None:
            if time.monotonic() > deadline:
                break
            run.show("the bodies run")
            time.sleep(0.05)
        found = json.loads(record or b"{}")
        ends.append(found.get("status") == "SUCCESS" and found["result"] == each.values)
    worker.stop()
    told = outcomes_of(worker.log)
    return [end and told.get(each.body) == ["succeeded"] for end, each in zip(ends, sent)]


def keys_left(ground: Ground) -> list[str]:
    """Keys that nobody owns and that do not expire, and what is left of chords that are over."""
    found = []
    for key in ground.redis.scan_iter(count=1000):
        name = key.decode()
        is_chord = name.startswith(("celery-taskset-meta-", "backhaul:chords", "backhaul:stag"))
        if is_chord and not name.endswith(".c"):
            found.append(name)
        elif ground.redis.ttl(key) == -1 and not name.startswith(_OWNED):
            found.append(name)
    return sorted(found)
