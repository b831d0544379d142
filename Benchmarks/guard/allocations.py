"""What allocations.c counts, read from the file it shares while the counted process runs."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from demo.children import ChildFailure

_SOURCE = Path(__file__).parent / "allocations.c"
_COMPILE_LIMIT = 60.0  # seconds
# The layout of allocations.c: eight numbers, then samples of two numbers and 30 addresses.
_HEADER = 64
_CALLS, _BYTES, _EVERY, _TAKEN, _READY = (8 * position for position in range(5))
_FRAMES = 30
_SAMPLE = 8 * (2 + _FRAMES)


def compile_c(source: Path, output: Path, *options: str) -> None:
    """Compiles one file."""
    compiler = shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        raise ChildFailure("no clang, which comes with Swift, and no other C compiler")
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", *options]
    subprocess.run([*command, "-o", output, source], check=True, timeout=_COMPILE_LIMIT)


@dataclass(frozen=True)
class Stack:
    """Where an allocation came from: return addresses, the innermost first."""

    frames: tuple[int, ...]


@dataclass
class Sampled:
    """How many samples, and the bytes they asked for."""

    count: int = 0
    bytes: int = 0

    def add(self, other: Sampled) -> None:
        self.count += other.count
        self.bytes += other.bytes


class Allocations:
    """The counters of one process, which must be started with this object's environment."""

    def __init__(self, directory: Path, *, samples: int = 0) -> None:
        self._library = directory / "allocations.so"
        self._file = directory / "allocations"
        self._room = samples
        compile_c(_SOURCE, self._library, "-shared", "-fPIC")
        with self._file.open("w+b") as file:
            file.truncate(_HEADER + samples * _SAMPLE)
            self._memory = mmap.mmap(file.fileno(), 0)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": os.fspath(self._library),
            "GUARD_ALLOCATIONS": os.fspath(self._file),
        }

    @property
    def counting(self) -> bool:
        return self._number(_READY) == 1

    @property
    def calls(self) -> int:
        return self._number(_CALLS)

    @property
    def bytes(self) -> int:
        return self._number(_BYTES)

    def sample(self, every: int) -> None:
        """From now on one allocation in `every` leaves its stack; 0 ends that."""
        self._set(_EVERY, every)

    def stacks(self) -> dict[Stack, Sampled]:
        """How often each stack was sampled. Ask when sampling has ended."""
        taken = self._number(_TAKEN)
        if taken > self._room:
            raise ChildFailure(f"{taken:,} samples, and room for {self._room:,}")
        found: dict[bytes, Sampled] = defaultdict(Sampled)
        for number in range(taken):
            start = _HEADER + number * _SAMPLE
            size, frames = self._number(start), self._number(start + 8)
            found[self._memory[start + 16 : start + 16 + 8 * frames]].add(Sampled(1, size))
        return {
            Stack(struct.unpack(f"<{len(frames) // 8}Q", frames)): sampled
            for frames, sampled in found.items()
        }

    def _number(self, offset: int) -> int:
        return int(struct.unpack_from("<Q", self._memory, offset)[0])

    def _set(self, offset: int, value: int) -> None:
        struct.pack_into("<Q", self._memory, offset, value)
