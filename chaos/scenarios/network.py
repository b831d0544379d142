"""The network between workers and Redis cuts, delays, truncates, and swallows."""

from __future__ import annotations

import random

from chaos.fleet import Fleet, Post
from chaos.messages import Mixture
from chaos.proxy import Proxy
from chaos.run import Run

_KINDS = (
    *("cut", "truncated reply", "delay", "black hole", "black hole, then reset"),
    "forgotten lines",
)
_WORK_AGAIN = 15.0  # seconds until a worker must work again, once the network is back
_QUIET_LIMIT = 30.0
_MOST_BYTES = 20_000  # through a line before it is cut
_TAKE_EFFECT = 1.0  # seconds within which a cut happens on a line that is used


def network(run: Run) -> None:
    """At the default budget 30 faults, over three workers that each have a network of their own."""
    ground, rng = run.ground, run.rng("faults")
    names = ["a", "b", "c"]
    proxies = {
        name: Proxy(ground.sandbox.redis_url, run.rng(f"network {name}")) for name in names
    }
    fleet = Fleet(
        ground, [Post(name, environment={"REDIS_URL": proxies[name].url}) for name in names]
    )
    fleet.start()
    feeder = run.feeder(
        Mixture(slow_share=0.3, slow_milliseconds=(20, 1500)),
        backlog=300,
        most=run.scaled(30_000),
    )
    wanted, count = run.scaled(30, least=len(_KINDS)), 0
    # Every kind comes up equally often, in an order of the seed's.
    plan = [kind for number in range(wanted) for kind in (_KINDS[number % len(_KINDS)],)]
    rng.shuffle(plan)
    for kind in plan:
        if run.left <= 0:
            break
        run.pause(
            rng.uniform(0.2, 1.0),
            fleet,
            lambda: f"{count} faults · {run.books.accepted_count:,} jobs accepted",
        )
        hurt = names if rng.random() < 0.25 else [rng.choice(names)]
        inject(run, fleet, kind, [proxies[name] for name in hurt], rng)
        count += 1
        run.outcome.faults[kind] += 1
        recover(run, fleet, kind, hurt)
    feeder.finish()
    run.drain(fleet)
    fleet.stop()
    for proxy in proxies.values():
        proxy.close()
    run.close_books()
    run.check_reached("network faults", count, wanted)
    for kind in run.outcome.faults:
        run.check_recovery(kind, _WORK_AGAIN)
    run.check_alive(fleet)


def inject(
    run: Run, fleet: Fleet, kind: str, proxies: list[Proxy], rng: random.Random
) -> None:
    """One fault, until it is over."""
    length, text = rng.uniform(1.5, 6.5), f"{kind} at {len(proxies)} of 3 workers"
    cuts = sum(proxy.cuts for proxy in proxies) + len(proxies)
    for proxy in proxies:
        if kind == "cut":
            proxy.cut_after_random_bytes(_MOST_BYTES)
        elif kind == "truncated reply":
            proxy.truncate_reply(_MOST_BYTES)
        elif kind == "forgotten lines":
            proxy.forget_lines()
        elif kind == "delay":
            proxy.delay(rng.uniform(0.05, 0.5))
        else:
            proxy.black_hole()
    if kind in ("cut", "truncated reply"):
        run.wait(
            lambda: sum(proxy.cuts for proxy in proxies) >= cuts,
            fleet,
            within=_TAKE_EFFECT,
            text=text,
        )
    elif kind != "forgotten lines":
        run.pause(length, fleet, lambda: text)
    for proxy in proxies:
        proxy.restore(reset=kind == "black hole, then reset")


def recover(run: Run, fleet: Fleet, kind: str, hurt: list[str]) -> None:
    """Waits until each worker that was hurt has done a job sent since."""
    mark = run.mark()
    waiting = set(hurt)

    def all_work() -> bool:
        for name in sorted(waiting):
            if run.works_since(mark, f"%:{fleet.child(name).pid}"):
                waiting.discard(name)
        return not waiting

    run.wait(all_work, fleet, within=_QUIET_LIMIT, text=f"after: {kind}")
    run.outcome.recovery.setdefault(kind, []).append(mark.age)
