"""What the demonstration shows: calm lines, one that moves, and a table at the end."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

_PLAIN_INTERVAL = 3.0  # seconds between two progress lines where a line cannot be rewritten
_BAR = 24  # characters


@dataclass(frozen=True)
class Fact:
    """One line of the final table. `agrees` is None where there is nothing to compare."""

    label: str
    value: str
    source: str
    agrees: bool | None = None


class Display:
    """Writes to standard output; colours and a moving line only on a terminal."""

    def __init__(self) -> None:
        self._moving = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._moving and "NO_COLOR" not in os.environ
        self._started = time.monotonic()
        self._last_plain = 0.0
        self._last_text = ""
        self._live = False

    def heading(self, text: str) -> None:
        self._line(f"\n  {self._style(text, '1')}")

    def step(self, text: str, detail: str = "") -> None:
        """Something that has been done."""
        self._line(f"  {self._style('✓', '32')} {text}" + self._dim(detail))

    def blow(self, text: str, detail: str = "") -> None:
        """Something bad that is done on purpose."""
        self._line(f"  {self._style('!', '33;1')} {text}" + self._dim(detail))

    def trouble(self, text: str, detail: str = "") -> None:
        """Something that went wrong."""
        self._line(f"  {self._style('✗', '31')} {text}" + self._dim(detail))

    def note(self, text: str) -> None:
        self._line(f"    {self._style(text, '2')}" if text else "")

    def progress(self, done: int, total: int, text: str) -> None:
        """The moving line; a plain one every few seconds where lines cannot move."""
        seconds = time.monotonic() - self._started
        if self._moving:
            filled = _BAR * min(done, total) // max(total, 1)
            bar = self._style("━" * filled, "32") + self._style("━" * (_BAR - filled), "2")
            room = shutil.get_terminal_size().columns - _BAR - 14
            print(f"\r\033[K  {bar} {seconds:5.1f} s  {text[:room]}", end="", flush=True)
            self._live = True
        elif text != self._last_text and seconds - self._last_plain >= _PLAIN_INTERVAL:
            self._last_plain, self._last_text = seconds, text
            print(f"    {seconds:5.1f} s  {text}", flush=True)

    def table(self, facts: Sequence[Fact]) -> None:
        width = max(len(fact.label) for fact in facts)
        values = max(len(fact.value) for fact in facts)
        for fact in facts:
            mark = {
                True: self._style("✓", "32"),
                False: self._style("✗", "31;1"),
                None: " ",
            }[fact.agrees]
            value = fact.value.ljust(values)
            if fact.agrees is False:
                value = self._style(value, "31;1")
            source = self._style(fact.source, "2")
            self._line(f"  {mark} {fact.label.ljust(width)}  {value}  {source}".rstrip())

    def _line(self, text: str) -> None:
        if self._live:
            print("\r\033[K", end="")
            self._live = False
        print(text, flush=True)

    def _dim(self, detail: str) -> str:
        return f"  {self._style(detail, '2')}" if detail else ""

    def _style(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text


def money(minor: int, currency: str = "USD") -> str:
    """Minor units of a two-decimal currency, as people write them."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02} {currency}"
