"""Where Celery's tests come from: its source distribution on PyPI, and an environment for them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from demo.world import ROOT

CELERY = "5.7.0"
HOME = ROOT / ".run" / "celery-suite"
PYTHON = HOME / "venv" / "bin" / "python"
TESTS = HOME / "suite"
_REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_STAMP = HOME / "venv" / ".requirements.sha256"

MODULES = [
    f"t/integration/{name}.py"
    for name in (
        "test_inspect", "test_tasks", "test_redis_backend", "test_group_chains", "test_canvas",
    )
]


def prepare() -> None:
    """Makes what is missing of the environment and of the tests; quick when nothing is."""
    HOME.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    if not PYTHON.exists() or not _STAMP.exists() or _STAMP.read_text() != wanted:
        print("  preparing .run/celery-suite/venv", flush=True)
        shutil.rmtree(HOME / "venv", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", HOME / "venv"], check=True)
        _pip("install", "-r", _REQUIREMENTS)
        _STAMP.write_text(wanted)
    if not TESTS.exists():
        print(f"  fetching the tests of Celery {CELERY} from PyPI", flush=True)
        _pip(
            "download", "--no-binary", ":all:", "--no-deps", f"celery=={CELERY}", "-d", HOME
        )
        fresh = HOME / "suite.new"
        shutil.rmtree(fresh, ignore_errors=True)
        root = f"celery-{CELERY}"
        with tarfile.open(HOME / f"{root}.tar.gz") as archive:
            # The tests alone: with the package beside them they would not test what is installed.
            members = [
                member
                for member in archive.getmembers()
                if member.name.startswith(f"{root}/t/") or member.name == f"{root}/pyproject.toml"
            ]
            archive.extractall(fresh, members=members, filter="data")
        (fresh / root).rename(TESTS)
        shutil.rmtree(fresh)


def _pip(*arguments: str | Path) -> None:
    subprocess.run(
        [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments], check=True
    )
