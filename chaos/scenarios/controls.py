"""Negative controls: one guard is switched off, and the suite must see what it prevented.

A control passes when the scenario *fails*, and in the way that the missing guard explains.
"""

from __future__ import annotations

from chaos.run import Run
from chaos.scenarios import bad_jobs, outbox, sigkill, zombies


def without_fence(run: Run) -> None:
    """Transactions neither claim nor record: what a zombie repeats takes effect again."""
    zombies.zombies(run, wanted=6, near=0)
    expect(run, "doubled", "effects were doubled")


def without_brake(run: Run) -> None:
    """Deaths are not counted: a poisonous message goes on killing."""
    bad_jobs.poison(run, count=2)
    expect(run, "quarantine", "poison was never quarantined")


def without_atomic_reserve(run: Run) -> None:
    """Pop and record are two steps: a kill between them loses the message."""
    sigkill.reserve_control(run)
    expect(run, "lost", "messages were lost")


def without_memory(run: Run) -> None:
    """Relays forget what they have pushed: what was not committed is pushed again."""
    outbox.control(run)
    expect(run, "doubled", "jobs were pushed twice")


def expect(run: Run, key: str, sentence: str) -> None:
    """Turns the outcome round: seen is passed, unseen is broken."""
    outcome = run.outcome
    seen = outcome.broken(key)
    for each in outcome.checks:
        outcome.facts[each.label] = each.value + ("" if each.holds else "  (broken, on purpose)")
    outcome.checks.clear()
    outcome.check("control", f"without it, {sentence}", "seen" if seen else "NOT SEEN", seen)
