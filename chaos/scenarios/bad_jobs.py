"""Jobs that kill their worker, and jobs that never end."""

from __future__ import annotations

import json
import re
import time

from celery import Celery

from chaos.fleet import Fleet, Post
from chaos.ground import QUEUE
from chaos.logs import counted
from chaos.messages import Mixture, drawn_id
from chaos.run import Run

_DEATHS = 3  # worker deaths after which a message is taken out
_WORKER = re.compile(r"\.(\d+)\.\w+")  # the process id in a worker's name
_HANG = {"soft_time_limit": 1, "time_limit": 2}
# Seconds until each must be out of the way. Two that block their threads can stop a whole process,
# which then ends itself, and what it held comes back once or twice before it is settled.
_CUT_OFF = 90.0


def poison(run: Run, *, count: int | None = None) -> None:
    """At the default budget 6 jobs that kill whoever runs them, among 6,000 good ones."""
    ground, rng, outcome = run.ground, run.rng("poison"), run.outcome
    count = run.scaled(6, least=2) if count is None else count
    fleet = Fleet(ground, [Post("a"), Post("b"), Post("c", concurrency=8)])
    fleet.start()
    feeder = run.feeder(Mixture(slow_share=0.3), backlog=100, most=run.scaled(6000))
    poisoned = []
    for number in range(count):
        run.pause(rng.uniform(0.2, 1.5), fleet, lambda: f"{number} poisonous jobs sent")
        task_id = drawn_id(rng)
        ground.backhaul("enqueue", "drill.crash", "--queue", QUEUE, "--id", task_id)
        run.books.accept_other(task_id)
        poisoned.append(task_id)
        outcome.faults["poisonous job"] += 1

    def all_caught() -> bool:
        return set(poisoned) <= {str(entry["id"]) for entry in ground.shelf("quarantine")}

    caught_all = run.wait(
        all_caught,
        fleet,
        within=max(run.left, 5),
        text=f"{count} poisonous jobs, waiting until all are in quarantine",
    )
    feeder.finish()
    if caught_all:
        run.drain(fleet)
    caught = {str(entry["id"]): entry for entry in ground.listed("quarantine")}
    fleet.stop()
    tally = run.close_books()
    deaths = len(fleet.fallen)
    outcome.faults["process killed by a job"] = deaths
    found = [task_id for task_id in poisoned if task_id in caught]
    outcome.check(
        "quarantine", "poisonous jobs in quarantine", f"{len(found)} of {count}",
        len(found) == count,
    )
    codes = sorted({str(caught[task_id]["code"]) for task_id in found})
    outcome.check(
        "quarantine", "with the code", ", ".join(codes) or "none",
        bool(codes) and all(code.startswith("poison") for code in codes),
    )
    named = [pids_in(str(caught[task_id]["message"])) for task_id in found]
    outcome.facts["what quarantine tells"] = (
        str(caught[found[0]]["message"])[:160] if found else "nothing"
    )
    outcome.check(
        "quarantine", f"and the {_DEATHS} workers each took down", f"{named}",
        all(len(pids) == _DEATHS and pids <= fleet.fallen_pids for pids in named),
    )
    innocent = [task_id for task_id in caught if task_id not in poisoned]
    outcome.check("innocent", "good jobs in quarantine", len(innocent), not innocent)
    most = count * _DEATHS
    outcome.check(
        "deaths", f"processes lost, at most {most}", deaths, count <= deaths <= most
    )
    outcome.check(
        "done", "good jobs done", f"{tally.done:,} of {tally.accepted - count:,}",
        tally.done == tally.accepted - count,
    )


def pids_in(text: str) -> set[int]:
    """Process ids of the workers that a text names."""
    return {int(pid) for pid in _WORKER.findall(text)}


def hang(run: Run) -> None:
    """Jobs that ignore their cancellation, by waiting and by blocking their thread."""
    ground, rng, outcome = run.ground, run.rng("hang"), run.outcome
    count = run.scaled(6, least=2)
    posts = [Post("a"), Post("b")]
    fleet = Fleet(ground, posts)
    fleet.start()
    feeder = run.feeder(Mixture(slow_share=0.3), backlog=100, most=run.scaled(6000))
    ids, started = [], time.monotonic()
    with Celery("producer", broker=ground.sandbox.redis_url) as celery:
        for number in range(count):
            run.pause(rng.uniform(0.1, 0.8), fleet, lambda: f"{number} hanging jobs sent")
            task_id = drawn_id(rng)
            celery.send_task(
                "drill.hang",
                kwargs={"seconds": 120, "block": number % 2 == 1},
                queue=QUEUE,
                task_id=task_id,
                **_HANG,
            )
            run.books.accept_other(task_id)
            ids.append(task_id)
            outcome.faults["hanging job"] += 1

    def states() -> list[str]:
        raw = [ground.redis.get(f"celery-task-meta-{task_id}") for task_id in ids]
        return [json.loads(each)["status"] if each else "none" for each in raw]

    settled = run.wait(
        lambda: all(state == "FAILURE" for state in states()),
        fleet,
        within=_CUT_OFF,
        text=f"{count} hanging jobs, waiting until all are cut off",
    )
    outcome.facts["cut off after"] = f"{time.monotonic() - started:.1f} s"
    mark = run.mark()
    others = run.wait(
        lambda: run.works_since(mark), fleet, within=10, text="others go on"
    )
    feeder.finish()
    run.drain(fleet)
    fleet.stop()
    # In place, by exec, or by its end and a new start: each time it says so.
    recycled = counted(ground.swift_logs())["worker_starts"] - len(posts)
    tally = run.close_books()
    shelves = [*ground.shelf("dead"), *ground.shelf("quarantine")]
    codes = {str(entry["id"]): str(entry["code"]) for entry in shelves}
    outcome.facts["processes recycled"] = recycled
    outcome.check("hang", "hanging jobs settled", ", ".join(states()), settled)
    outcome.check(
        "hang", "with the code", ", ".join(sorted(set(codes.values()))) or "none",
        set(codes) == set(ids)
        and all(code.startswith(("timeout", "poison")) for code in codes.values()),
    )
    outcome.check("hang", "processes recycled, at least one", recycled, recycled >= 1)
    outcome.check("hang", "other jobs went on", "yes" if others else "no", others)
    outcome.check(
        "done", "good jobs done", f"{tally.done:,} of {tally.accepted - count:,}",
        tally.done == tally.accepted - count,
    )
