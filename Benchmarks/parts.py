"""The parts of the benchmark, in order, and how one is run so that it cannot spoil the rest."""

from __future__ import annotations

import importlib
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from Benchmarks.ground import Ground
from Benchmarks.options import Options
from Benchmarks.part import Part
from Benchmarks.progress import show_progress

# Each is a module of this package with run(sandbox, binary, options) -> Part.
NAMES = (
    "drain",
    "enqueue",
    "latency",
    "startup",
    "soak",
    "growth",
    "delayed",
    "outbox",
    "webhooks",
    "effects",
    "guard",
)


@dataclass(frozen=True)
class Measured:
    """One part that was run, or what kept it from being measured."""

    name: str
    seconds: float
    part: Part | None = None
    failure: str = ""


def measure(name: str, ground: Ground, binary: Path, options: Options) -> Measured:
    """Runs one part; whatever goes wrong in it is its own failure, not that of the whole."""
    started = time.monotonic()
    part, failure = None, ""
    try:
        # Only now: what one part needs must not keep another from running.
        module = importlib.import_module(f"Benchmarks.{name}")
        part = module.run(ground, binary, options)
    except Exception as error:
        failure = str(error) or type(error).__name__
        show_progress("")
        if not isinstance(error, ModuleNotFoundError):
            traceback.print_exc()
    finally:
        ground.clear()
    show_progress("")
    return Measured(name, time.monotonic() - started, part, failure)
