"""The floor: C programs over hiredis that make the same Redis calls, with nothing around them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from demo.children import neutral_environment

_SOURCES = Path(__file__).resolve().parent
_SCRIPTS = _SOURCES.parent.parent / "Sources" / "Broker" / "Scripts"
_LIMIT = 300.0  # seconds after which a program counts as hung


def compiled(name: str, work: Path, *libraries: str) -> Path:
    """Compiles `name`.c of this folder into `work`; hiredis is always there."""
    work.mkdir(parents=True, exist_ok=True)
    program = work / name
    subprocess.run(
        [
            *("cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"),
            *("-o", os.fspath(program), os.fspath(_SOURCES / f"{name}.c")),
            *("-lhiredis", *(f"-l{library.removeprefix('-l')}" for library in libraries)),
        ],
        check=True,
        timeout=60,
    )
    return program


def command(program: Path, url: str, *options: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a floor program that speaks to the Redis of `url`."""
    parts = urlsplit(url)
    line = [os.fspath(program), "--port", str(parts.port), "--db", parts.path.strip("/") or "0"]
    # The password must not be seen in the process list.
    return [*line, *options], {"REDISCLI_AUTH": unquote(parts.password or "")}


def run(program: Path, url: str, *options: str) -> dict[str, Any]:
    """Runs a floor program to its end and returns what it prints."""
    line, environment = command(program, url, *options)
    done = subprocess.run(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=_LIMIT,
        env={**neutral_environment(), **environment},
    )
    if done.returncode != 0:
        raise subprocess.SubprocessError(f"{program.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def script_files(work: Path) -> list[str]:
    """Options for drain: the two scripts of a no-op's life, put together as the broker does."""
    options: list[str] = []
    parts: dict[str, Sequence[str]] = {
        "reserve": ["reserve"], "acknowledge": ["result", "acknowledge"],
    }
    for name, sources in parts.items():
        file = work / f"{name}.lua"
        file.write_bytes(b"".join((_SCRIPTS / f"{each}.lua").read_bytes() for each in sources))
        options += [f"--{name}", os.fspath(file)]
    return options


def drain(
    program: Path, url: str, work: Path, *, queue: str = "bench", batch: int = 128,
    results: bool = False,
) -> dict[str, Any]:
    """Empties a queue as a worker would, without running anything."""
    options = ["--queue", queue, "--batch", str(batch), *script_files(work)]
    return run(program, url, *options, *(["--results"] if results else []))
