"""The scenarios by name: what each needs, and how long it may take at the default budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaos.run import Run
from chaos.scenarios import (
    bad_jobs,
    chords,
    clock,
    controls,
    downtime,
    network,
    outbox,
    schedulers,
    servers,
    sigkill,
    zombies,
)

DEFAULT_BUDGET = 880.0  # seconds, all together; `make chaos` takes at most 15 minutes


@dataclass(frozen=True)
class Scenario:
    """One kind of trouble."""

    name: str
    summary: str
    seconds: float  # of faults, at the default budget; servers and draining come on top
    run: Callable[[Run], None]
    fsync: str = "everysec"
    weaken: str = ""
    least: float = 20.0  # seconds below which it shows nothing
    aside: bool = False  # it needs little of the processors, and runs beside those that need all


SCENARIOS = [
    Scenario("sigkill", "kill -9 through a mixed fleet", 190, sigkill.mixed),
    Scenario("zombies", "stopped past the lease, then resumed", 115, zombies.zombies, least=30),
    Scenario(
        "redis-restarts", "Redis killed under load", 75, servers.redis_restarts, fsync="always"
    ),
    Scenario(
        "network", "lines cut, delayed, truncated, silent", 165, network.network, least=60
    ),
    Scenario(
        "postgres", "PostgreSQL, and both servers, restarted", 40, servers.postgres_restarts,
        fsync="always",
    ),
    Scenario("chords", "chords whose workers are killed", 60, chords.chords, least=60),
    Scenario("outbox", "relays killed, a tenth rolled back", 160, outbox.outbox, least=30),
    # The longest and the most idle first: it meets the storm of kills.
    Scenario(
        "schedulers", "a scheduler killed every second", 135, schedulers.schedulers,
        least=20, aside=True,
    ),
    Scenario(
        "downtime", "no scheduler for an hour", 30, downtime.downtime, least=20, aside=True
    ),
    Scenario("clock", "wall clocks that jump an hour", 25, clock.clock, least=15, aside=True),
    Scenario("poison", "jobs that kill their worker", 60, bad_jobs.poison, least=45, aside=True),
    Scenario("hang", "jobs that never end", 15, bad_jobs.hang, least=15, aside=True),
    Scenario(
        "control-fence", "zombies without the fence", 40, controls.without_fence,
        weaken="fence", least=35, aside=True,
    ),
    Scenario(
        "control-brake", "poison without the brake", 30, controls.without_brake,
        weaken="brake", least=30, aside=True,
    ),
    Scenario(
        "control-reserve", "kills without the atomic reserve", 20,
        controls.without_atomic_reserve, weaken="reserve", least=15, aside=True,
    ),
    Scenario(
        "control-ticks", "ledgers apart, ahead, and a halt", 25, schedulers.control_ticks,
        least=20, aside=True,
    ),
    Scenario(
        "control-relay", "relays without a memory", 20, controls.without_memory,
        least=15, aside=True,
    ),
]
GROUPS = {
    "controls": tuple(each.name for each in SCENARIOS if each.name.startswith("control-")),
}


def chosen(names: list[str]) -> list[Scenario]:
    """The scenarios named, in the order of the catalogue; all when none is named."""
    wanted = {each for name in names for each in GROUPS.get(name, (name,))}
    unknown = wanted - {each.name for each in SCENARIOS}
    if unknown:
        known = ", ".join([*(each.name for each in SCENARIOS), *GROUPS])
        raise ValueError(f"no scenario {', '.join(sorted(unknown))}; there are {known}")
    return [each for each in SCENARIOS if not names or each.name in wanted]
