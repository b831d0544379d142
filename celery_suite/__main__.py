"""Runs Celery's own integration tests against a worker of ours.

    python -m celery_suite --worker .build/release/CelerySuiteWorker [-k EXPRESSION] [MODULE …]

The tests are those of Celery's source distribution, fetched from PyPI. Arguments that are not listed
are pytest's. Exit status 0 only if every test in scope passed and no key was left behind.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from celery_suite import tests
from celery_suite.leftovers import unowned
from celery_suite.session import Outcome, Session, worker_command
from demo.sandbox import Sandbox
from demo.world import ROOT

LOGS = ROOT / ".run" / "logs"
_RACES = Path(__file__).parent / "client-races.txt"


def arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="make celery-suite", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--worker", required=True, help="the executable; `python` proves the harness instead"
    )
    parser.add_argument("--twice", action="store_true", help="two runs, which must both be good")
    return parser.parse_known_args()


def races(failed: list[str]) -> list[str]:
    """Those of the failed tests that may be run once more."""
    lines = [line for line in _RACES.read_text().splitlines() if line and line[0] != "#"]
    known = [line.partition("\t")[0] for line in lines]
    return [test for test in failed if any(name in test for name in known)]


def run_once(session: Session, chosen: list[str]) -> bool:
    """One run with its summary; says whether it was good."""
    began = time.monotonic()
    outcome = session.run(chosen)
    leaks = unowned(session.redis)
    report(outcome, time.monotonic() - began, leaks)
    again = races(outcome.failed)
    if again and again == outcome.failed:
        print("\nOnce more, for the client may have looked between two failures:")
        print("\n".join(f"  {test}" for test in again), flush=True)
        second = session.run(again)
        report(second, time.monotonic() - began, leaks)
        return second.is_good and not leaks
    return outcome.is_good and not leaks


def report(outcome: Outcome, seconds: float, leaks: list[str]) -> None:
    print(f"\nCelery {tests.CELERY}: {outcome.summary} in {seconds:.0f} s")
    for test in outcome.failed:
        print(f"  failed: {test}")
    for key in leaks:
        print(f"  left behind, without owner or time to live: {key}")
    if not leaks:
        print("  no key left behind without owner or time to live")
    sys.stdout.flush()


def main() -> int:
    options, chosen = arguments()
    tests.prepare()
    if not any(".py" in argument for argument in chosen):
        chosen = [*chosen, *tests.MODULES]
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "celery-suite-worker.log"
    log.unlink(missing_ok=True)
    good = True
    with Sandbox("celery-suite") as sandbox:
        session = Session(sandbox, worker_command(options.worker), log)
        for _ in range(2 if options.twice else 1):
            good = run_once(session, chosen) and good
    print(f"the worker's log: {log.relative_to(ROOT)}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
