"""The second lane: scenarios that leave the processors to others run beside those that do not."""

from __future__ import annotations

import argparse
import pickle
import signal
import sys
import tempfile
import time
from pathlib import Path

from chaos.catalogue import Scenario
from chaos.report import Outcome
from demo.children import Child
from demo.display import Display
from demo.world import ROOT

_PASSED_ON = ("seed", "budget")
_CLEANUP = 60.0  # seconds that the lane may take to end its servers


class Aside:
    """This program once more, for other scenarios; belongs to the main thread.

    A process of its own, because a child ends with the thread that started it, and because no
    lane may wait for the other's interpreter.
    """

    def __init__(self, scenarios: list[Scenario], options: argparse.Namespace, logs: Path) -> None:
        self._scenarios = scenarios
        self._directory = tempfile.TemporaryDirectory(prefix="backhaul-chaos-aside-")
        self._outcomes = Path(self._directory.name) / "outcomes"
        names = ",".join(each.name for each in scenarios)
        command = [sys.executable, "-m", "chaos", "--backhaul", options.backhaul, "--only", names]
        for name in _PASSED_ON:
            command += [f"--{name}", str(getattr(options, name))]
        command += ["--outcomes", self._outcomes]
        command += [f"--{name}" for name in ("quick", "keep-logs") if flag(options, name)]
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"chaos-{options.seed}-aside.log"
        self.log.unlink(missing_ok=True)
        # TERM lets it clean up behind itself, also when it is orphaned.
        self._child = Child(
            "aside", command, log=self.log, directory=ROOT, fatal_signal=signal.SIGTERM
        )

    @property
    def is_running(self) -> bool:
        return self._child.exit_status is None

    def finish(self, within: float, display: Display) -> list[Outcome]:
        """Waits for its end; what it found, with an error for each scenario it did not get to."""
        deadline = time.monotonic() + within + _CLEANUP
        while self.is_running and time.monotonic() < deadline:
            display.progress(1, 1, f"waiting for what runs beside: {self.last_line}")
            time.sleep(0.2)
        return self.stop()

    def stop(self) -> list[Outcome]:
        """Ends it; what it has found until now."""
        self._child.stop(_CLEANUP)
        found: list[Outcome] = []
        if self._outcomes.exists():
            found = pickle.loads(self._outcomes.read_bytes())  # written by ourselves
        self._directory.cleanup()
        missing = {each.name for each in self._scenarios} - {each.name for each in found}
        text = f"not finished; see {self.log.relative_to(ROOT)}"
        return [*found, *(Outcome(name, error=text) for name in sorted(missing))]

    @property
    def last_line(self) -> str:
        return self._child.tail(1).strip()


def flag(options: argparse.Namespace, name: str) -> bool:
    return bool(getattr(options, name.replace("-", "_")))


def save(outcomes: list[Outcome], path: Path) -> None:
    """Hands over what a lane has found, whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(outcomes))
    draft.replace(path)
