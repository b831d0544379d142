"""No-op jobs per second of one Backhaul worker process beside a Python Celery worker.

    make bench          or          python -m Benchmarks --backhaul .build/release/backhaul

Both read messages written by Python Celery from the same private Redis, in turn, several rounds,
first with results ignored, then with results stored. The figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import celery
import kombu
import redis

from Benchmarks import delayed, outbox, rounds, soak
from Benchmarks.contenders import (
    ROOT,
    Contender,
    backhaul_command,
    celery_command,
    database,
    output_of,
)
from Benchmarks.messages import Template
from demo.children import ChildFailure
from demo.sandbox import Sandbox

RESULTS = ROOT / "Benchmarks" / "results" / "latest.json"
WARM_UP = 10  # a round this many times smaller comes first and is not counted


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--backhaul", type=Path, required=True, help="the executable")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backhaul-messages", type=int, default=200_000, metavar="N")
    parser.add_argument("--celery-messages", type=int, default=5_000, metavar="N")
    parser.add_argument("--concurrency", type=int, default=128, help="of the Backhaul worker")
    parser.add_argument("--batch", type=int, default=128, help="of the Backhaul worker")
    parser.add_argument("--processes", type=int, default=2, help="of the Celery worker")
    parser.add_argument("--prefetch", type=int, default=64, help="multiplier of the Celery worker")
    parser.add_argument(
        "--soak-jobs", type=int, default=1_000_000, metavar="N", help="of the memory soak; 0: none"
    )
    parser.add_argument(
        "--outbox-rows", type=int, default=100_000, metavar="N", help="of the outbox; 0: none"
    )
    parser.add_argument("--only-outbox", action="store_true", help="nothing but the outbox")
    parser.add_argument(
        "--delayed-jobs", type=int, default=1_000_000, metavar="N", help="put aside; 0: none"
    )
    parser.add_argument("--only-delayed", action="store_true", help="nothing but delayed jobs")
    parser.add_argument("--only-soak", action="store_true", help="no comparison with Celery")
    parser.add_argument(
        "--at-least",
        type=float,
        default=0,
        metavar="RATIO",
        help="exit 1 when Backhaul is not this many times as fast",
    )
    return parser.parse_args()


def contenders(sandbox: Sandbox, options: argparse.Namespace) -> list[Contender]:
    """Starts both workers; they wait, idle, until a queue appears."""
    found = []
    commands = [
        (
            "Celery",
            f"prefork, {options.processes} processes, prefetch x{options.prefetch}",
            "bench.noop",
            celery_command(options.processes, options.prefetch),
            options.celery_messages,
        ),
        (
            "Backhaul",
            f"1 process, concurrency {options.concurrency}, batches of {options.batch}",
            "backhaul.ping",
            backhaul_command(options.backhaul, options.concurrency, options.batch),
            options.backhaul_messages,
        ),
    ]
    for number, (name, settings, task, command, messages) in enumerate(commands, start=1):
        url = database(sandbox.redis_url, number)
        child = sandbox.spawn(
            name.lower(),
            command,
            directory=ROOT,
            environment={
                "BENCH_REDIS_URL": url,
                "REDIS_URL": url,
                "DATABASE_URL": sandbox.database_url,
            },
        )
        client = redis.Redis.from_url(url)
        found.append(Contender(name, settings, task, "bench", url, child, messages, client))
    return found


def compare(
    field: list[Contender], options: argparse.Namespace, *, results: bool
) -> dict[str, rounds.Summary]:
    """All rounds of one discipline, the contenders taking turns."""
    templates = {
        each.name: Template.captured(each.url, each.task, ignore_result=not results)
        for each in field
    }
    measured: dict[str, list[rounds.Round]] = {each.name: [] for each in field}
    for number in range(options.rounds + 1):
        for each in field:
            messages = each.messages if number else max(each.messages // WARM_UP, 1)
            done = rounds.run(each, templates[each.name], messages, results=results)
            if results:
                rounds.check_results(each, messages)
            check_nothing_refused(each, options.backhaul)
            if number:
                measured[each.name].append(done)
                show_progress(f"round {number}/{options.rounds}  {each.name} {done.rate:,.0f}/s")
    show_progress("")
    return {name: rounds.Summary(each) for name, each in measured.items()}


def check_nothing_refused(contender: Contender, binary: Path) -> None:
    """A queue can also be emptied by refusing its messages; that would not count."""
    if contender.name != "Backhaul":
        return
    for shelf in ("quarantine", "dead"):
        listed = output_of(
            [os.fspath(binary), shelf, "list", "-o", "json"], {"REDIS_URL": contender.url}
        )
        if json.loads(listed)["total"] != 0:
            raise rounds.RoundFailure(f"Backhaul put messages on the {shelf} shelf: {listed[:300]}")


def show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(f"  {text}", file=sys.stderr, flush=True)


def machine(binary: Path, client: redis.Redis) -> dict[str, str]:
    """What was measured, and on what."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    swift = output_of(["swift", "--version"]).splitlines() if shutil.which("swift") else []
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        "redis": str(client.info("server")["redis_version"]),
        "python": platform.python_version(),
        "celery": f"{celery.__version__}, kombu {kombu.__version__}, redis-py {redis.__version__}",
        "swift": swift[0] if swift else "unknown",
        "backhaul": output_of([os.fspath(binary), "version"]).splitlines()[0],
    }


def print_table(
    facts: dict[str, str], field: list[Contender], outcome: dict[str, dict[str, rounds.Summary]]
) -> None:
    print()
    for name, value in facts.items():
        print(f"  {name:<10} {value}")
    for discipline, summaries in outcome.items():
        print(f"\n  No-op jobs, results {discipline}")
        print(f"  {'':<10}{'jobs/s':>10}{'lowest':>10}{'highest':>10}{'CPU µs/job':>12}   settings")
        for each in field:
            summary = summaries[each.name]
            low, high = summary.spread
            print(
                f"  {each.name:<10}{summary.rate:>10,.0f}{low:>10,.0f}{high:>10,.0f}"
                f"{summary.cpu_microseconds:>12,.1f}   {each.settings}"
            )
        print(f"  {'ratio':<10}{ratio(summaries):>9,.0f}×")
    print()


def print_soak(soaked: soak.Soak | None) -> None:
    if soaked is None:
        return
    print("\n  Resident memory of one worker process, default settings")
    for line in soaked.lines():
        print(f"  {line}")
    print()


def print_outbox(figures: outbox.OutboxFigures | None) -> None:
    if figures is None:
        return
    print("\n  Outbox, by one relay, and to one worker")
    for line in figures.lines():
        print(f"  {line}")
    print()


def print_delayed(waited: delayed.Delayed | None) -> None:
    if waited is None:
        return
    print("\n  Delayed jobs, one worker process, default settings")
    for line in waited.lines():
        print(f"  {line}")
    print()


def ratio(summaries: dict[str, rounds.Summary]) -> float:
    return summaries["Backhaul"].rate / summaries["Celery"].rate


def save(
    facts: dict[str, str],
    outcome: dict[str, dict[str, rounds.Summary]],
    soaked: soak.Soak | None,
    relayed: outbox.OutboxFigures | None,
    waited: delayed.Delayed | None,
) -> None:
    document: dict[str, Any] = {"machine": facts, "disciplines": {}}
    if soaked is not None:
        document["memory_mib"] = soaked.as_record()
    if relayed is not None:
        document["outbox"] = relayed.as_record()
    if waited is not None:
        document["delayed"] = waited.as_record()
    for discipline, summaries in outcome.items():
        document["disciplines"][discipline] = {
            "ratio": round(ratio(summaries), 1),
            **{
                name: {
                    "jobs_per_second": round(summary.rate, 1),
                    "cpu_microseconds_per_job": round(summary.cpu_microseconds, 2),
                    "rounds": [asdict(each) for each in summary.rounds],
                }
                for name, summary in summaries.items()
            },
        }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    print(f"  written to {RESULTS.relative_to(ROOT)}")


def main() -> int:
    options = arguments()
    options.backhaul = options.backhaul.resolve()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with Sandbox("bench") as sandbox:
            client = sandbox.start_redis(persistent=False)
            sandbox.start_postgres()  # a worker wants one, though the no-op never speaks to it
            facts = machine(options.backhaul, client)
            relayed = None
            if options.outbox_rows and not (options.only_soak or options.only_delayed):
                relayed = outbox.run(sandbox, options.backhaul, options.outbox_rows, show_progress)
                show_progress("")
            if options.only_outbox:
                print_outbox(relayed)
                return 0 if relayed is None or relayed.reached else 1
            waited = None
            if options.delayed_jobs and not (options.only_soak or options.only_outbox):
                waited = delayed.run(sandbox, options.backhaul, options.delayed_jobs)
            if options.only_delayed:
                print_delayed(waited)
                return 0 if waited is None or waited.reached else 1
            soaked = None
            if options.soak_jobs:
                soaked = soak.run(sandbox, options.backhaul, options.soak_jobs)
            if options.only_soak:
                print_soak(soaked)
                return 0 if soaked is None or soaked.reached else 1
            field = contenders(sandbox, options)
            outcome = {
                "ignored": compare(field, options, results=False),
                "stored": compare(field, options, results=True),
            }
        print_table(facts, field, outcome)
        print_soak(soaked)
        print_outbox(relayed)
        print_delayed(waited)
        save(facts, outcome, soaked, relayed, waited)
    except KeyboardInterrupt:
        return 130
    except (ChildFailure, rounds.RoundFailure, subprocess.SubprocessError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    fast = ratio(outcome["ignored"]) >= options.at_least
    parts = [part for part in (soaked, relayed, waited) if part is not None]
    return 0 if fast and all(part.reached for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main())
