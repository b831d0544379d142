"""Jobs enqueued in transactions, and relays that are killed: each committed row is one job."""

from __future__ import annotations

import random
import threading
import time

import psycopg
import redis

from chaos.crew import Crew, Role
from chaos.fleet import Fleet, Post
from chaos.ground import Ground, redis_client
from chaos.proxy import Proxy
from chaos.run import Run
from chaos.writers import ORDERS, Habits, Writer, Written, all_written
from demo.pooler import start_pgbouncer

_ROWS = 100_000
_WRITERS = 8
_KILLS = 50
_FAR = 0.02  # seconds: half of the relays are far from Redis, so that pushes are under way longer
_NO_SCHEDULE = "entries: {}\n"
_EMPTY_LIMIT = 30.0  # seconds until the last row must have left the outbox
_SHOWN = 5
_PUSHED = "backhaul:outbox:pushed"  # zset: id of a job that was pushed → when it is forgotten, ms
_HOUR = 3600.0
_DOUBT_LIMIT = 31 * 86400.0  # seconds
_DOUBTFUL = 3000  # jobs that a relay has on their way at most: in two lanes, and not yet confirmed
_FEW = 40  # rows written while relays forget
_FORGOTTEN_LIMIT = 40.0  # seconds until relays must have forgotten what they know to be gone
_CONTROL_ROWS, _CONTROL_KILLS = 6000, 25
# Each delivery leaves a row, also one that is a repeat: so rows count deliveries.
_COUNTS_DELIVERIES = {"BACKHAUL_TEST_WEAKEN": "fence"}


def outbox(run: Run) -> None:
    """100,000 transactions of 8 writers, a tenth rolled back, and 50 kills of those that relay."""
    ground, rng, outcome = run.ground, run.rng("kills"), run.outcome
    pooled = prepare(ground)
    proxy = Proxy(ground.sandbox.redis_url, run.rng("network"))
    proxy.delay(_FAR)
    crew = relays(ground, pooled, proxy.url)
    crew.start()
    fleet = Fleet(ground, [Post("counting", 64, environment=_COUNTS_DELIVERIES)])
    fleet.start()
    rows, kills = run.scaled(_ROWS, least=2000), run.scaled(_KILLS, least=10)
    writers = start_writers(run, pooled, rows)
    # Kills are tied to what has been written, so that all of them meet work.
    moments = [(number + rng.random()) / kills * rows for number in range(kills)]
    killed = 0
    while any(writer.is_alive() for writer in writers) and run.left > 0:
        done = sum(writer.done for writer in writers)
        run.pause(0.02, fleet, lambda: f"{killed} kills · {done:,} transactions")
        crew.tend()
        while killed < kills and moments[killed] <= done:
            crew.kill(rng.choice(crew.names))
            outcome.faults["SIGKILL of a relay"] += 1
            killed += 1
    written = all_written(writers, early=True)
    emptied = settle(run, fleet)
    check_marks(run, fleet, killed, written)
    settle(run, fleet)
    fleet.stop()
    bad = crew.stop()
    proxy.close()
    run.check_reached("transactions", len(written.committed) + len(written.rolled_back), rows)
    run.check_reached("relays killed", killed, kills)
    outcome.check("empty", "outbox empty", "yes" if emptied else "no", emptied)
    judge(run, written)
    run.check_alive(fleet)
    outcome.check("alive", "relays that ended by themselves", len(crew.fallen), not crew.fallen)
    outcome.check("exit", "exit status after TERM", "; ".join(bad) or "0", not bad)


def settle(run: Run, fleet: Fleet) -> bool:
    """Waits until all that was committed has been pushed and run; whether the outbox is empty."""
    emptied = run.wait(
        lambda: run.ground.rows("select count(*) from backhaul.outbox") == [(0,)],
        fleet,
        within=_EMPTY_LIMIT,
        text="emptying the outbox",
    )
    run.drain(fleet)
    return emptied


def check_marks(run: Run, fleet: Fleet, kills: int, written: Written) -> None:
    """What relays remember of what they pushed: nothing for ever, and most of it for moments.

    They forget with the next push, so a few more rows are written.
    """
    ground, outcome = run.ground, run.outcome
    few = Writer(
        _WRITERS, ground.sandbox.database_url, run.rng("few"), _FEW, habits=Habits(0, 0),
        per_second=_FEW / _FORGOTTEN_LIMIT,
    )
    few.start()

    def remembered() -> int:
        """Ids that have an end within the hour: their row is known to be gone."""
        return int(ground.redis.zcount(_PUSHED, "-inf", (time.time() + _HOUR) * 1000))

    run.wait(
        lambda: remembered() <= few.done, fleet, within=_FORGOTTEN_LIMIT,
        text="what was pushed is forgotten",
    )
    left = remembered()
    written.committed.update(few.finish(early=True).committed)
    outcome.check(
        "marks", f"ids kept of {len(written.committed):,}, at most {_FEW} new ones", f"{left:,}",
        left <= _FEW,
    )
    doubtful = ground.redis.zrangebyscore(
        _PUSHED, (time.time() + _HOUR) * 1000, "+inf", withscores=True
    )
    outcome.check(
        "marks", f"ids whose commit nobody saw, at most {_DOUBTFUL:,} for each kill",
        f"{len(doubtful):,}", len(doubtful) <= kills * _DOUBTFUL,
    )
    latest = max((score / 1000 - time.time() for _, score in doubtful), default=0.0)
    outcome.check(
        "marks", "days until the last of them is forgotten", f"{latest / 86400:.1f}",
        latest <= _DOUBT_LIMIT,
    )


def prepare(ground: Ground) -> str:
    """The table of the business, and the address of the database through pgbouncer."""
    with psycopg.connect(ground.sandbox.database_url) as connection:
        connection.execute(ORDERS)
    return start_pgbouncer(ground.sandbox)


def relays(ground: Ground, pooled: str, far: str) -> Crew:
    """Three that do nothing else, and the one in a scheduler; half of them through pgbouncer."""
    schedule = ground.sandbox.directory / "outbox.yaml"
    schedule.write_text(_NO_SCHEDULE)
    return Crew(
        ground,
        [
            Role("relay-near", ("relay",)),
            Role("relay-pooled", ("relay",), {"DATABASE_URL": pooled}),
            Role("relay-far", ("relay",), {"REDIS_URL": far}),
            Role(
                "scheduler-far", ("scheduler", "--schedule", str(schedule)),
                {"DATABASE_URL": pooled, "REDIS_URL": far},
            ),
        ],
    )


def start_writers(run: Run, pooled: str, rows: int, *, pace: float = 0) -> list[Writer]:
    """Every other one through pgbouncer; `pace`: transactions a second of all together."""
    urls = (run.ground.sandbox.database_url, pooled)
    writers = []
    for number in range(_WRITERS):
        share = rows // _WRITERS + (number < rows % _WRITERS)
        rng = random.Random(f"{run.seed}/writer-{number}")
        writers.append(
            Writer(number, urls[number % 2], rng, share, per_second=pace / _WRITERS)
        )
    for writer in writers:
        writer.start()
    return writers


def judge(run: Run, written: Written) -> None:
    """Compares what was committed, as PostgreSQL has it, with what workers were handed."""
    ground, outcome = run.ground, run.outcome
    orders = {int(number) for (number,) in ground.rows("select id from orders")}
    deliveries = {
        (int(number), str(job)): int(count)
        for number, job, count in ground.rows(
            "select number, job_id, count(*) from drill_effects group by number, job_id"
        )
    }
    jobs = {number for number, _ in deliveries}
    outcome.facts["committed, rolled back"] = f"{len(orders):,}, {len(written.rolled_back):,}"
    known = orders == written.committed.keys()
    outcome.check("known", "rows are those whose commit was confirmed", known, known)
    outcome.check(
        "balance", "distinct jobs run = rows committed", f"{len(jobs):,} = {len(orders):,}",
        jobs == orders,
    )
    lost = orders - jobs
    outcome.check("lost", "committed and never run", named(lost), not lost)
    ghosts = jobs & written.rolled_back.keys()
    outcome.check("ghosts", "rolled back and yet run", named(ghosts), not ghosts)
    doubled = [number for (number, _), count in deliveries.items() if count > 1]
    outcome.check("doubled", "pushed twice", named(doubled), not doubled)
    strangers = [
        number for number, job in deliveries if written.committed.get(number) != job
    ]
    outcome.check(
        "ids", "ids other than enqueue() returned", named(strangers), not strangers
    )


def named(numbers: set[int] | list[int]) -> str:
    """How many, and the first few."""
    first = ", ".join(str(number) for number in sorted(numbers)[:_SHOWN])
    return f"{len(numbers):,}" + (f": {first}" if numbers else "")


class Forgetter(threading.Thread):
    """Takes away what relays remember of their pushes, as fast as it can."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(name="forgetter", daemon=True)
        self._client = redis_client(redis_url)
        self._halt = threading.Event()

    def run(self) -> None:
        while not self._halt.wait(0.002):
            try:
                self._client.delete(_PUSHED)
            except redis.RedisError:
                continue

    def finish(self) -> None:
        self._halt.set()
        self.join()
        self._client.close()


def control(run: Run) -> None:
    """Relays far from Redis, killed, and what they pushed is forgotten at once."""
    ground, rng = run.ground, run.rng("kills")
    pooled = prepare(ground)
    proxy = Proxy(ground.sandbox.redis_url, run.rng("network"))
    proxy.delay(4 * _FAR)
    crew = Crew(
        ground, [Role(f"relay-far-{n}", ("relay",), {"REDIS_URL": proxy.url}) for n in (1, 2)]
    )
    crew.start()
    fleet = Fleet(ground, [Post("counting", 64, environment=_COUNTS_DELIVERIES)])
    fleet.start()
    forgetter = Forgetter(ground.sandbox.redis_url)
    forgetter.start()
    pace = _CONTROL_ROWS / max(run.left - 5, 5)
    writers = start_writers(run, pooled, _CONTROL_ROWS, pace=pace)
    kills = 0
    while any(writer.is_alive() for writer in writers) and run.left > 0:
        run.pause(rng.uniform(0.2, 0.6), fleet, lambda: f"{kills} kills")
        if kills < _CONTROL_KILLS:
            crew.kill(rng.choice(crew.names))
            kills += 1
    run.outcome.faults["SIGKILL of a relay"] = kills
    written = all_written(writers, early=True)
    settle(run, fleet)
    forgetter.finish()
    fleet.stop()
    crew.stop()
    proxy.close()
    judge(run, written)
