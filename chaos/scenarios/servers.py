"""Redis is killed, PostgreSQL ends at once, both go together."""

from __future__ import annotations

import signal

from chaos.fleet import Fleet, Post
from chaos.messages import Mixture
from chaos.run import DRAIN_LIMIT, Run
from demo.sandbox import Server

_WORK_AGAIN = 15.0  # seconds until an effect must follow the return of a server
_QUIET_LIMIT = 30.0  # seconds after which it is no longer waited for


def redis_restarts(run: Run) -> None:
    """20 kills of Redis under `appendfsync always`; only what LPUSH acknowledged is accepted."""
    fleet = fleet_of_three(run)
    feeder = run.feeder(
        Mixture(slow_share=0.2), backlog=400, most=run.scaled(30_000), celery_share=0.2
    )
    rng, wanted, count = run.rng("restarts"), run.scaled(20, least=3), 0
    while run.left > 0 and count < wanted:
        run.pause(
            rng.uniform(0.7, 2.0),
            fleet,
            lambda: f"{count} restarts · {run.books.accepted_count:,} jobs accepted",
        )
        run.ground.sandbox.redis_server.child.kill()
        count += 1
        run.outcome.faults["SIGKILL of Redis"] += 1
        run.pause(rng.uniform(0, 1.0), fleet, lambda: "Redis is gone")
        come_back(run, fleet, "SIGKILL of Redis", [run.ground.sandbox.redis_server])
    feeder.finish()
    run.outcome.facts["sends repeated"] = feeder.retried
    run.drain(fleet)
    fleet.stop()
    run.close_books()
    run.check_reached("restarts of Redis", count, wanted)
    run.check_recovery("SIGKILL of Redis", _WORK_AGAIN)
    run.check_alive(fleet)


def postgres_restarts(run: Run) -> None:
    """PostgreSQL in its immediate mode, five times, and then both servers at once, twice."""
    fleet = fleet_of_three(run)
    feeder = run.feeder(
        Mixture(slow_share=0.2), backlog=400, most=run.scaled(20_000), celery_share=0.2
    )
    rng = run.rng("restarts")
    plan = ["PostgreSQL"] * run.scaled(5, least=1) + ["both"] * run.scaled(2, least=1)
    sandbox, count = run.ground.sandbox, 0
    for what in plan:
        if run.left <= 0:
            break
        run.pause(
            rng.uniform(1.0, 2.5),
            fleet,
            lambda: f"{count} restarts · {run.books.accepted_count:,} jobs accepted",
        )
        sandbox.postgres_server.child.send(signal.SIGQUIT)
        servers = [sandbox.postgres_server]
        if what == "both":
            sandbox.redis_server.child.kill()
            servers.append(sandbox.redis_server)
        fault = "immediate stop of PostgreSQL" if what == "PostgreSQL" else "both servers gone"
        run.outcome.faults[fault] += 1
        count += 1
        run.pause(rng.uniform(0, 1.5), fleet, lambda: "gone")
        come_back(run, fleet, fault, servers)
    feeder.finish()
    run.drain(fleet, within=DRAIN_LIMIT)
    fleet.stop()
    run.close_books()
    run.check_reached("restarts", count, len(plan))
    for fault in run.outcome.faults:
        run.check_recovery(fault, _WORK_AGAIN)
    run.check_alive(fleet)


def fleet_of_three(run: Run) -> Fleet:
    fleet = Fleet(run.ground, [Post("a"), Post("b"), Post("c", concurrency=8)])
    fleet.start()
    return fleet


def come_back(run: Run, fleet: Fleet, fault: str, servers: list[Server]) -> None:
    """Starts servers again; recovered is who does a job sent since they answer."""
    for server in servers:
        if not run.wait(
            lambda server=server: server.child.exit_status is not None,
            fleet,
            within=10,
            text="ending",
        ):
            server.child.kill()
        server.restart()
    mark = run.mark()
    run.wait(
        lambda: run.works_since(mark), fleet, within=_QUIET_LIMIT, text="waiting for effects"
    )
    run.outcome.recovery.setdefault(fault, []).append(mark.age)
