"""What is being measured right now, on one line that is overwritten."""

from __future__ import annotations

import sys


def show_progress(text: str) -> None:
    """Shows `text` in place of the last; "" only clears the line."""
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}"[:100], end="", file=sys.stderr, flush=True)
    elif text:
        print(f"  {text}", file=sys.stderr, flush=True)
