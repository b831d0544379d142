"""Child processes that cannot outlive the program that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ChildFailure(RuntimeError):
    """A child that ended, or did not come up, when it was needed."""


def neutral_environment() -> dict[str, str]:
    """This process's environment without what would point a child at somebody's real servers."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BACKHAUL_", "CELERY_", "PG"))
        and name not in ("REDIS_URL", "DATABASE_URL")
    }


def _die_with_parent(fatal: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(fatal), 0, 0, 0)

    return before_exec


class Child:
    """One process with its own log file, ended by its process id and by nothing else.

    It gets its own session, so that Ctrl-C reaches the parent alone and the parent decides
    the order in which things end. Should the parent be killed outright, Linux ends the child.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        directory: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        fatal_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [os.fspath(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**neutral_environment(), **(environment or {})},
                cwd=directory,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                start_new_session=True,
                preexec_fn=_die_with_parent(fatal_signal),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to this process alone; nothing when it has ended."""
        if self.exit_status is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait until the process is gone."""
        if self.exit_status is None:
            self._process.kill()
        self._process.wait()

    def stop(self, grace: float = 10.0) -> None:
        """Asks politely, waits `grace` seconds, then insists."""
        if self.exit_status is None:
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines: int = 15) -> str:
        """The end of its log, for a message to a human."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], *, within: float, what: str) -> None:
        """Waits for `ready`; a child that ends first, or is too slow, is a `ChildFailure`."""
        deadline = time.monotonic() + within
        while not ready():
            if self.exit_status is not None:
                status = self.exit_status
                raise ChildFailure(
                    f"{self.name} ended with status {status} before {what}:\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                raise ChildFailure(f"{self.name}: no {what} within {within:g} s:\n{self.tail()}")
            time.sleep(0.02)
