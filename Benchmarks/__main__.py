"""Measures Backhaul beside its peers and the floor, and says which goals are reached.

    make bench          make bench-quick          make bench BENCH_OPTIONS="--only drain,soak"

Every part runs its contenders in turn, on private servers, in one run. The exit status is 0 when
everything could be measured, whatever the figures; with --strict, when every goal is reached too.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from Benchmarks import machine, parts, report
from Benchmarks.contenders import ROOT
from Benchmarks.ground import Ground
from Benchmarks.options import Options
from demo.children import ChildFailure

_ROUNDS, _QUICK_ROUNDS = 5, 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--backhaul", type=Path, required=True, help="the executable")
    parser.add_argument(
        "--driver", type=Path, default=ROOT / ".build/release/BenchmarkDriver",
        help="the executable that measures from within Swift",
    )
    parser.add_argument(
        "--peers", type=Path, default=ROOT / ".run/bench-venv/bin/python",
        help="python of the other systems' environment",
    )
    parser.add_argument(
        "--only", type=_names, default=parts.NAMES, metavar="NAME,…",
        help=f"these parts alone: {', '.join(parts.NAMES)}",
    )
    parser.add_argument("--rounds", type=_count, help=f"{_ROUNDS}, or {_QUICK_ROUNDS} with --quick")
    parser.add_argument("--quick", action="store_true", help="an impression, in three minutes")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    given = parser.parse_args()
    for program in (given.backhaul, given.driver, given.peers):
        if not os.access(program, os.X_OK):
            parser.error(f"{program} is no program that can be run; make bench builds it")
    return given


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rounds: 1 or more")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in parts.NAMES]:
        raise argparse.ArgumentTypeError(f"no part is called {', '.join(unknown)}")
    if not wanted:
        raise argparse.ArgumentTypeError("no part is named")
    return tuple(name for name in parts.NAMES if name in wanted)


def run(given: argparse.Namespace, scratch: Path) -> int:
    options = Options(
        quick=given.quick,
        rounds=given.rounds or (_QUICK_ROUNDS if given.quick else _ROUNDS),
        driver=Path(os.path.abspath(given.driver)),
        # Not resolved: a virtual environment is known by the path of its python.
        peers=Path(os.path.abspath(given.peers)),
        work=scratch,
    )
    binary = given.backhaul.resolve()
    measured = []
    with Ground() as ground:
        ground.start()
        facts = machine.facts(binary, options.peers, ground.client)
        report.print_facts(facts, options)
        for name in given.only:
            measured.append(parts.measure(name, ground, binary, options))
            report.print_part(measured[-1])
            sys.stdout.flush()
    goals = [goal for each in measured if each.part for goal in each.part.goals]
    report.print_goals(goals)
    failed = [each.name for each in measured if each.part is None]
    if failed:
        print(f"    NOT MEASURED: {', '.join(failed)}")
    print()
    for path in report.save(facts, options, measured):
        print(f"  written to {path.relative_to(ROOT)}")
    print(f"  {sum(each.seconds for each in measured) / 60:.1f} minutes")
    missed = given.strict and not all(goal.reached for goal in goals)
    return 1 if failed or missed else 0


def main() -> int:
    given = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="backhaul-bench-work-") as scratch:
            return run(given, Path(scratch))
    except KeyboardInterrupt:
        return 130
    except ChildFailure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
