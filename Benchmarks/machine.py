"""What is measured, and on what: everything a reader needs to judge a figure."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import redis

from Benchmarks.contenders import output_of
from demo.sandbox import postgres_program

_PEERS = (
    *("celery", "kombu", "billiard", "dramatiq", "taskiq", "taskiq-redis"),
    *("redis", "hiredis", "uvloop"),
)
_VERSIONS = (
    "import sys; from importlib.metadata import version; "
    "print(*(f'{name} {version(name)}' for name in sys.argv[1:]), sep=', ')"
)


def facts(binary: Path, peers: Path, client: redis.Redis) -> dict[str, str]:
    """Machine and versions, as text."""
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory():.0f} GB; "
        f"Linux {platform.release()}",
        "load": "{:.2f} {:.2f} {:.2f} when it began".format(*os.getloadavg()),
        "backhaul": _first_line([os.fspath(binary), "version"]),
        "swift": _first_line(["swift", "--version"]),
        "redis": f"{client.info('server')['redis_version']}, no persistence, TCP on loopback",
        "postgresql": _first_line([os.fspath(postgres_program("postgres")), "--version"]),
        "python": platform.python_version(),
        "packages": _first_line([os.fspath(peers), "-c", _VERSIONS, *_PEERS]),
        "ruby": f"{_first_line(['ruby', '--version'])}; {_first_line(['sidekiq', '--version'])}",
        "nginx": _first_line(["nginx", "-v"]),
        "compiler": _first_line(["cc", "--version"]),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def _first_line(command: Sequence[str]) -> str:
    """What a program says of itself, on whichever stream, or that it is not there."""
    if shutil.which(command[0]) is None:
        return "not installed"
    try:
        said = output_of(["sh", "-c", 'exec "$@" 2>&1 || true', "sh", *command])
    except subprocess.SubprocessError:
        return "unknown"
    return said.splitlines()[0] if said else "unknown"
