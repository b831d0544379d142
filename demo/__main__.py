"""`make demo` and `make dev`.

python -m demo run --backhaul .build/release/backhaul     exit 0 only if everything agrees
python -m demo dev --backhaul .build/release/backhaul     leaves it all running
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from celery.exceptions import CeleryError
from celery.exceptions import TimeoutError as AnswerTimeout

from demo.children import ChildFailure
from demo.dev import serve
from demo.display import Display
from demo.sandbox import Sandbox
from demo.story import Failure, Story
from demo.world import ROOT, CommandFailure, World

# What can go wrong without being a mistake in the demonstration itself.
EXPECTED = (
    AnswerTimeout,
    CeleryError,
    ChildFailure,
    CommandFailure,
    Failure,
    subprocess.SubprocessError,
)
LOGS = ROOT / ".run" / "logs"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "dev"))
    parser.add_argument("--backhaul", type=Path, required=True, help="the executable")
    parser.add_argument("--customers", type=int, default=400, help="at least 200 (default 400)")
    parser.add_argument("--calm", action="store_true", help="a payment gateway without faults")
    options = parser.parse_args()
    if options.customers < 200:
        parser.error("--customers must be at least 200")
    return options


def interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C, TERM and HUP end the demo alike: by unwinding, which cleans up."""
    raise KeyboardInterrupt


def run(options: argparse.Namespace, display: Display) -> int:
    started = time.monotonic()
    keep = LOGS / f"{options.what}-{time.strftime('%H%M%S')}"
    with Sandbox(options.what) as sandbox:
        story = Story(
            World(sandbox, options.backhaul.resolve(), calm=options.calm),
            display,
            customers=options.customers,
        )
        try:
            story.prepare()
            if options.what == "dev":
                serve(story.world, story.seeded, display)
                return 0
            story.call_by_hand()
            story.send_everything()
            story.settle()
            agrees = story.compare()
        except EXPECTED as error:
            display.trouble(f"{type(error).__name__}: {error}")
            agrees = False
        if not agrees:
            sandbox.save_logs(keep)
            display.note(f"logs are kept in {keep.relative_to(ROOT)}")
    display.note(f"{time.monotonic() - started:.0f} s; servers stopped, nothing left behind")
    return 0 if agrees else 1


def main() -> int:
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    display = Display()
    try:
        return run(options, display)
    except KeyboardInterrupt:
        display.note("stopped")
        return 0 if options.what == "dev" else 130


if __name__ == "__main__":
    sys.exit(main())
