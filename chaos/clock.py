"""A wall clock that jumps: a small library that stands before the C library's."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from pathlib import Path

from demo.children import ChildFailure

_SOURCE = Path(__file__).parent / "wrong_clock.c"
_BYTES = 8  # one number of nanoseconds, as wrong_clock.c reads it
_COMPILE_LIMIT = 60.0  # seconds


class WrongClock:
    """The wall clock of every process that is started with its environment."""

    def __init__(self, directory: Path) -> None:
        self._library = directory / "wrong_clock.so"
        self._file = directory / "wrong_clock"
        compiler = shutil.which("clang") or shutil.which("cc")
        if compiler is None:
            raise ChildFailure("no clang, which comes with Swift, and no other C compiler")
        subprocess.run(
            [
                *(compiler, "-std=c11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"),
                *("-o", self._library, _SOURCE),
            ],
            check=True,
            timeout=_COMPILE_LIMIT,
        )
        self._file.write_bytes(bytes(_BYTES))
        with self._file.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _BYTES)

    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": os.fspath(self._library), "CHAOS_CLOCK": os.fspath(self._file)}

    def jump(self, seconds: float) -> None:
        """From now on it is so far from the truth."""
        self._memory[:] = round(seconds * 1e9).to_bytes(_BYTES, "little", signed=True)
