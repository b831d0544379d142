"""Breaks everything that can break, and counts what is left: `make chaos`.

    python -m chaos --backhaul .build/release/backhaul [--seed N] [--only sigkill,zombies]

Exit status 0 only if every invariant held and every negative control was seen.
"""

from __future__ import annotations

import argparse
import functools
import random
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from chaos.aside import Aside, save
from chaos.catalogue import DEFAULT_BUDGET, SCENARIOS, Scenario, chosen
from chaos.ground import Ground
from chaos.report import Outcome, conclude, show, versions
from chaos.run import Run
from chaos.scenarios import sigkill
from demo.display import Display
from demo.sandbox import Sandbox
from demo.world import ROOT

LOGS = ROOT / ".run" / "logs"
QUICK = ("sigkill", "zombies", "redis-restarts", "network")
QUICK_BUDGET = 150.0  # seconds for these four
OVERHEAD = 15.0  # seconds that servers and draining take on top of the faults


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make chaos",
        description=__doc__.partition("\n")[0],
        epilog="scenarios: " + "; ".join(f"{each.name}: {each.summary}" for each in SCENARIOS),
    )
    parser.add_argument("--backhaul", type=Path, required=True, help="the executable")
    parser.add_argument("--seed", type=int, help="repeat the faults of an earlier run")
    parser.add_argument("--only", default="", help="scenarios, with commas; or controls, for all")
    parser.add_argument(
        "--budget", type=float, default=DEFAULT_BUDGET, metavar="SECONDS",
        help=f"volumes shrink with it (default {DEFAULT_BUDGET:g})",
    )
    parser.add_argument("--quick", action="store_true", help="the first four, in about 2 minutes")
    parser.add_argument(
        "--kill-python", action="store_true",
        help="kill pool processes of the Celery worker too: what is lost then is Celery's",
    )
    parser.add_argument("--python-workers", type=int, default=1, help="in sigkill (default 1)")
    parser.add_argument("--no-supervisor", action="store_true", help="plain workers only")
    parser.add_argument("--keep-logs", action="store_true", help="also of what passed")
    # This process is the second lane of another, and hands over what it finds.
    parser.add_argument("--outcomes", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.budget < 30:
        parser.error("--budget must be at least 30 seconds")
    try:
        options.scenarios = chosen([name for name in options.only.split(",") if name])
    except ValueError as error:
        parser.error(str(error))
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def planned(options: argparse.Namespace) -> tuple[list[Scenario], float]:
    """What is run, and by how much volumes are scaled."""
    scenarios, budget = options.scenarios, options.budget
    if options.quick:
        budget = min(budget, QUICK_BUDGET)
        if not options.only:
            scenarios = [each for each in scenarios if each.name in QUICK]
    scale = budget / DEFAULT_BUDGET
    if options.quick:
        # The four share the whole budget, less what servers and draining take.
        scale = budget * 0.6 / sum(each.seconds for each in scenarios)
    sigkill_run = functools.partial(
        sigkill.mixed,
        python=options.python_workers,
        supervised=not options.no_supervisor,
        kill_python=options.kill_python,
    )
    return (
        [
            replace(each, run=sigkill_run) if each.name == "sigkill" else each
            for each in scenarios
        ],
        min(scale, 1.0) if options.budget <= DEFAULT_BUDGET else scale,
    )


def attempt(
    scenario: Scenario, options: argparse.Namespace, scale: float, left: float, display: Display
) -> Outcome:
    """One scenario on servers of its own, `left` seconds before the budget ends; never raises but
    for Ctrl-C."""
    outcome = Outcome(scenario.name)
    started = time.monotonic()
    display.heading(f"{scenario.name}: {scenario.summary}")
    seconds = min(max(scenario.seconds * scale, scenario.least), left - OVERHEAD)
    if seconds < scenario.least / 2:
        outcome.error = "not run: the budget was used up before"
        show(outcome, display)
        return outcome
    keep = LOGS / f"chaos-{options.seed}-{scenario.name}"
    with Sandbox("chaos") as sandbox:
        try:
            ground = Ground(
                sandbox, options.backhaul, fsync=scenario.fsync, weaken=scenario.weaken
            )
            scenario.run(
                Run(
                    *(ground, outcome, display, f"{options.seed}/{scenario.name}", scale),
                    seconds=seconds,
                )
            )
        except Exception as error:  # a broken scenario is a finding; the others still run
            outcome.error = f"{type(error).__name__}: {error}"
            display.trouble(outcome.error, traceback.format_exc())
        if options.keep_logs or not outcome.passed:
            sandbox.save_logs(keep)
            outcome.logs = str(keep.relative_to(ROOT))
    outcome.seconds = round(time.monotonic() - started, 1)
    show(outcome, display)
    display.note(
        f"{outcome.seconds:.0f} s" + (f"; logs are kept in {outcome.logs}" if outcome.logs else "")
    )
    return outcome


def interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C, TERM and HUP alike unwind, which cleans up."""
    raise KeyboardInterrupt


def main() -> int:
    options = arguments()
    options.backhaul = options.backhaul.resolve()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    display, started = Display(), time.monotonic()
    scenarios, scale = planned(options)
    front, beside = lanes(scenarios)
    display.heading(f"Faults, seed {options.seed}")
    outcomes: list[Outcome] = []
    facts: dict[str, str] = {}
    aside = None
    try:
        facts = versions(options.backhaul)
        if beside:
            aside = Aside(beside, options, LOGS)
            display.note(f"beside: {', '.join(each.name for each in beside)}")
        for scenario in front:
            left = options.budget - (time.monotonic() - started)
            outcomes.append(attempt(scenario, options, scale, left, display))
            if options.outcomes:
                save(outcomes, options.outcomes)
        if aside:
            left = options.budget - (time.monotonic() - started)
            outcomes += shown(aside.finish(max(left, 0), display), display)
    except KeyboardInterrupt:
        if aside:
            outcomes += aside.stop()
        display.note("stopped; what was found until now:")
        told(options, outcomes, {}, started, display)
        return 130
    except subprocess.SubprocessError as failure:
        display.trouble(f"chaos: {failure}")
        return 1
    return 0 if told(options, outcomes, facts, started, display) else 1


def lanes(scenarios: list[Scenario]) -> tuple[list[Scenario], list[Scenario]]:
    """What is run one after the other, and what beside it; all in one lane when it is of a kind."""
    front = [each for each in scenarios if not each.aside]
    beside = [each for each in scenarios if each.aside]
    return (front, beside) if front else (beside, [])


def shown(outcomes: list[Outcome], display: Display) -> list[Outcome]:
    """The tables of the second lane."""
    for outcome in outcomes:
        display.heading(f"{outcome.name} (beside the others)")
        show(outcome, display)
    return outcomes


def told(
    options: argparse.Namespace, outcomes: list[Outcome], facts: dict[str, str],
    started: float, display: Display,
) -> bool:
    """The report of this run; the second lane leaves it to the first."""
    if options.outcomes:
        return all(outcome.passed for outcome in outcomes)
    record: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("budget", "quick", "only", "kill_python", "python_workers", "no_supervisor")
    }
    seconds = time.monotonic() - started
    return conclude(outcomes, options.seed, record, facts, seconds, display)


if __name__ == "__main__":
    sys.exit(main())
