"""What every part of the benchmark is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Settings of one run."""

    quick: bool  # a first impression in a few seconds instead of figures to quote
    rounds: int  # in which contenders take turns
    driver: Path  # the BenchmarkDriver executable
    peers: Path  # python of the peers' virtual environment
    work: Path  # compiled C programs, scratch files
