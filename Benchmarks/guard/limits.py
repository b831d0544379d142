"""The most that one job may cost, and the verdict on what it did cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "limits.json"

# What is counted, and how it is written. Names with _stored: with results stored.
UNITS = {
    "allocations": ("allocations", ".2f"),
    "allocations_stored": ("allocations, results stored", ".2f"),
    "bytes": ("bytes allocated", ",.0f"),
    "bytes_stored": ("bytes allocated, results stored", ",.0f"),
    "calls": ("calls to Redis", ".4f"),
    "calls_stored": ("calls to Redis, results stored", ".4f"),
    "instructions": ("instructions", ",.0f"),
}


class LimitError(ValueError):
    """Limits that cannot be applied."""


@dataclass(frozen=True)
class Verdict:
    """One figure beside its limit."""

    name: str
    figures: tuple[float, ...]  # one of each repetition
    limit: float

    @property
    def figure(self) -> float:
        """The median; of an even number the higher of the two in the middle."""
        return sorted(self.figures)[len(self.figures) // 2]

    @property
    def held(self) -> bool:
        return self.figure <= self.limit

    def row(self) -> str:
        label, form = UNITS[self.name]
        low, high = min(self.figures), max(self.figures)
        verdict = "" if self.held else "  OVER"
        return (
            f"{label:<38}{self.figure:>12{form}}{low:>12{form}}{high:>12{form}}"
            f"{self.limit:>12{form}}{verdict}"
        )

    def complaint(self) -> str:
        label, form = UNITS[self.name]
        excess = self.figure - self.limit
        return (
            f"{label}: {self.figure:{form}} a job, {excess:{form}} over the limit "
            f"of {self.limit:{form}}"
        )


HEADING = f"{'a job':<38}{'median':>12}{'lowest':>12}{'highest':>12}{'limit':>12}"


def load(file: Path = FILE) -> dict[str, float]:
    return checked(json.loads(file.read_text()))


def overridden(limits: Mapping[str, float], changes: Sequence[str]) -> dict[str, float]:
    """The limits with `NAME=VALUE` put in their place."""
    merged = dict(limits)
    for change in changes:
        name, _, value = change.partition("=")
        try:
            merged[name] = float(value)
        except ValueError:
            raise LimitError(f"{change!r} is not NAME=VALUE") from None
    return checked(merged)


def checked(limits: Mapping[str, object]) -> dict[str, float]:
    """Each figure has a limit and each limit a figure: a misspelt one would guard nothing."""
    if limits.keys() != UNITS.keys():
        strange = ", ".join(sorted(limits.keys() ^ UNITS.keys()))
        raise LimitError(f"limits and figures differ: {strange}; known are {', '.join(UNITS)}")
    found = {}
    for name, value in limits.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise LimitError(f"the limit of {name} is no number above 0")
        found[name] = float(value)
    return found


def judged(
    figures: Mapping[str, Sequence[float]], limits: Mapping[str, float]
) -> list[Verdict]:
    """A verdict for each limit. A figure that is missing is an error, and never a pass."""
    missing = [name for name in limits if not figures.get(name)]
    if missing:
        raise LimitError(f"not measured: {', '.join(missing)}")
    nothing = [name for name in limits if not min(figures[name]) > 0]
    if nothing:  # no job costs nothing: it was not counted
        raise LimitError(f"counted nothing: {', '.join(nothing)}")
    return [Verdict(name, tuple(figures[name]), limit) for name, limit in limits.items()]
