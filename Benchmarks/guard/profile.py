"""Where a job's instructions are: what callgrind wrote, by function."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from Benchmarks.contenders import output_of
from Benchmarks.guard.instructions import LARGE, SlowWorker, needed, total
from Benchmarks.guard.sites import demangled
from demo.sandbox import Sandbox


def report(sandbox: Sandbox, binary: Path, top: int) -> list[str]:
    """The functions in which a job's instructions are, with what they call and without."""
    with SlowWorker.started(sandbox, binary) as worker:
        file = worker.run(LARGE)
        tables = {
            "with what it calls, ours": [
                (count, name)
                for count, name, place in _inclusive(file)
                if place == os.fspath(sandbox.directory / "backhaul")
            ],
            "without what it calls": [
                (count, f"{name}  ({Path(place).name})") for count, name, place in _own(file)
            ],
        }
    lines = [f"{total(file) / LARGE:10,.0f}  instructions a job"]
    for title, rows in tables.items():
        lines += ["", f"a job, {title}:"]
        lines += [f"{count / LARGE:10,.0f}  {name}" for count, name in rows[:top]]
    return lines


def _inclusive(file: Path) -> list[tuple[int, str, str]]:
    """Count, function and file that holds it, the most expensive first."""
    command = [needed("callgrind_annotate"), "--threshold=99", "--inclusive=yes", os.fspath(file)]
    rows = []
    for line in output_of(command).splitlines():
        found = re.fullmatch(r"\s*([\d,]+) +\(.*?%\) +(.*?):([^\[]*)(?: \[(.*)\])?", line)
        if found:
            count, _, name, place = found.groups()
            rows.append((int(count.replace(",", "")), name, place or ""))
    return _readable(rows)


def _own(file: Path) -> list[tuple[int, str, str]]:
    """The same, of the functions alone. callgrind_annotate gives all to the threads' first."""
    names: dict[str, str] = {}  # a name is written once, and then its number
    at: dict[str, str] = {}  # the file and the function that lines are about
    counts: Counter[tuple[str, str]] = Counter()
    of_callee = False
    for line in file.read_text(errors="replace").splitlines():
        if found := re.match(r"c?(ob|fn)=(\(\d+\))(?: (.*))?", line):
            kind, number, name = found.groups()
            if name:
                names[kind + number] = name
            if not line.startswith("c"):
                at[kind] = kind + number
        elif line.startswith("calls="):
            of_callee = True  # the next line counts what was called
        elif re.match(r"[+*\-\d]", line):
            if not of_callee:
                counts[at["fn"], at["ob"]] += int(line.split()[1])
            of_callee = False
    return _readable([(count, names[fn], names[ob]) for (fn, ob), count in counts.most_common()])


def _readable(rows: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    clear = demangled({name for _, name, _ in rows})
    return [(count, clear[name], place) for count, name, place in rows]
