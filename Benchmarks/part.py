"""What every part of the benchmark hands back: lines for the terminal, a record for JSON, goals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Goal:
    """One row of the goals table."""

    measure: str  # "drain, results ignored, against Celery prefork"
    goal: str  # "≥ 100 ×"
    measured: str  # "103 ×"
    reached: bool


@dataclass
class Part:
    """What one part measured."""

    title: str
    lines: list[str] = field(default_factory=list)  # the table, aligned, ≤ 100 columns
    record: dict[str, Any] = field(default_factory=dict)  # for JSON
    goals: list[Goal] = field(default_factory=list)
