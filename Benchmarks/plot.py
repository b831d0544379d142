"""Bar charts as SVG, written by hand: dark on light, every bar with its name and its figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _NAMES, _FIGURES, _BAR, _GAP = 760, 165, 100, 16, 6
_INK, _OURS, _OTHERS, _FLOOR = "#1b1f24", "#1f5fa8", "#9aa7b5", "#d5a24a"


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    text: str  # the figure beside it
    colour: str


@dataclass(frozen=True)
class Section:
    """Bars under one heading; all sections of a chart share one scale."""

    title: str
    bars: Sequence[Bar]


def throughput(record: Mapping[str, Any], note: str) -> str:
    """Jobs a second of every contender in the drain comparison."""
    titles = {
        "ignored": "Results ignored",
        "stored": "Results stored",
        "large": "10 KB of arguments, results ignored",
    }
    sections = [
        Section(
            title,
            [
                Bar(
                    name, figures["jobs_per_second"],
                    f"{figures['jobs_per_second']:,.0f}", _colour(name),
                )
                for name, figures in sorted(
                    record[key].items(), key=lambda item: -item[1]["jobs_per_second"]
                )
            ],
        )
        for key, title in titles.items()
        if key in record
    ]
    return chart("No-op jobs per second, drained from a full queue", note, sections)


def latency(record: Mapping[str, Any], note: str) -> str:
    """Pickup times of every contender, by percentile, at two loads."""
    loads = {"idle": "idle, 50 a second", "busy": "at half of what it can do"}
    sections = [
        Section(
            f"{name}, {title}",
            [
                Bar(percentile, value, f"{value / 1000:,.2f} ms", _colour(name))
                for percentile, value in times["microseconds"].items()
            ],
        )
        for load, title in loads.items()
        for name, times in record.get(load, {}).items()
    ]
    title = "Pickup, from push to the start of the job (logarithmic scale)"
    return chart(title, note, sections, logarithmic=True)


def chart(
    title: str, note: str, sections: Sequence[Section], *, logarithmic: bool = False
) -> str:
    """Horizontal bars; with `logarithmic` each tenfold is as wide as the next."""
    values = [bar.value for section in sections for bar in section.bars if bar.value > 0]
    highest = max(values, default=1.0)
    lowest = 10 ** math.floor(math.log10(min(values, default=0.1)))
    room = _WIDTH - _NAMES - _FIGURES

    def length(value: float) -> float:
        if value <= 0:
            return 0
        if not logarithmic:
            return room * value / highest
        return room * math.log10(max(value / lowest, 1.02)) / math.log10(highest / lowest * 1.02)

    shapes = [_text(20, 30, title, size=17, weight="bold")]
    shapes.append(_text(20, 48, note, size=11))
    y = 62
    for section in sections:
        y += 14
        shapes.append(_text(20, y, section.title, size=13, weight="bold"))
        y += 8
        for bar in section.bars:
            width = max(length(bar.value), 1)
            middle = y + _BAR * 0.78
            shapes += [
                _text(_NAMES - 8, middle, bar.name, anchor="end"),
                f'<rect x="{_NAMES}" y="{y}" width="{width:.1f}" height="{_BAR}" '
                f'fill="{bar.colour}"/>',
                _text(_NAMES + width + 6, middle, bar.text),
            ]
            y += _BAR + _GAP
        y += 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 12}" '
        f'viewBox="0 0 {_WIDTH} {y + 12}" font-family="sans-serif" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(shapes) + "\n</svg>\n"
    )


def _colour(name: str) -> str:
    lowered = name.lower()
    if "backhaul" in lowered:
        return _OURS
    return _FLOOR if "floor" in lowered or "brpop" in lowered else _OTHERS


def _text(
    x: float, y: float, text: str, *, size: int = 12, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
    )
