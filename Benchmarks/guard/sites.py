"""Where a job's allocations come from: sampled stacks, named by llvm-symbolizer."""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from Benchmarks.contenders import ROOT
from Benchmarks.guard.allocations import Sampled, Stack
from demo.children import ChildFailure

_LIMIT = 120.0  # seconds a tool may take
_SOURCES = ROOT / "Sources"
_ALLOCATORS = {"swift_slowAlloc", "swift_slowAllocTyped", "swift_allocObject", "malloc", "?"}


@dataclass(frozen=True)
class Frame:
    """One function on a stack, inlined ones included."""

    function: str
    place: str  # file:line, or the library when no line is known
    ours: bool  # written in this repository, and not what a library put in its place

    def __str__(self) -> str:
        return f"{self.function}  ({self.place})"


@dataclass(frozen=True)
class Mapping:
    """One mapped piece of a file with code."""

    start: int
    end: int
    offset: int
    path: str


class AddressSpace:
    """Which file each address of a process belongs to. Read while the process lives."""

    def __init__(self, pid: int) -> None:
        self._mappings = []
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) < 6 or not fields[5].startswith("/"):
                continue
            start, end = (int(part, 16) for part in fields[0].split("-"))
            self._mappings.append(Mapping(start, end, int(fields[2], 16), fields[5]))
        self._starts = [mapping.start for mapping in self._mappings]
        self._bases: dict[str, int] = {}
        for mapping in self._mappings:
            # The first piece of a file holds its offset 0, to which addresses in it refer.
            self._bases.setdefault(mapping.path, mapping.start - mapping.offset)

    def located(self, address: int) -> tuple[str, int] | None:
        """The file, and the address within it as its symbols count."""
        position = bisect_right(self._starts, address) - 1
        if position < 0 or address >= self._mappings[position].end:
            return None
        path = self._mappings[position].path
        return path, address - self._bases[path]


class Names:
    """Functions and lines behind addresses, asked for all at once."""

    def __init__(self, space: AddressSpace, addresses: Iterable[int]) -> None:
        wanted: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._frames: dict[int, list[Frame]] = {}
        for address in addresses:
            located = space.located(address - 1)  # the call, not the place it returns to
            if located is None:
                self._frames[address] = [Frame("?", "?", ours=False)]
            else:
                wanted[located[0]][located[1]].append(address)
        for path, offsets in wanted.items():
            found = _symbolised(path, list(offsets))
            for offset, frames in zip(offsets, found, strict=True):
                named = [_frame(name, source, line, path) for name, source, line in frames]
                for address in offsets[offset]:
                    self._frames[address] = named
        self._demangle()

    def stack(self, stack: Stack) -> list[Frame]:
        return [frame for address in stack.frames for frame in self._frames[address]]

    def _demangle(self) -> None:
        clear = demangled({frame.function for each in self._frames.values() for frame in each})
        self._frames = {
            address: [Frame(clear[each.function], each.place, each.ours) for each in frames]
            for address, frames in self._frames.items()
        }


def demangled(names: set[str]) -> dict[str, str]:
    """Swift's names as a reader knows them."""
    mangled = sorted(names)
    plain = _run([_tool("swift-demangle"), "--simplified"], "\n".join(mangled)).splitlines()
    return dict(zip(mangled, plain, strict=True))


def _tool(name: str) -> str:
    """A tool that comes with Swift, wherever that is."""
    found = shutil.which(name)
    swift = shutil.which("swift")
    if found is None and swift is not None:
        found = shutil.which(name, path=Path(swift).resolve().parent)
    if found is None:
        raise ChildFailure(f"no {name}, which comes with Swift")
    return found


def _run(command: list[str], text: str) -> str:
    return subprocess.run(
        command, input=text, stdout=subprocess.PIPE, check=True, text=True, timeout=_LIMIT
    ).stdout


def _symbolised(path: str, offsets: list[int]) -> list[list[tuple[str, str, int]]]:
    """For each offset its functions, the innermost first, with source file and line."""
    output = _run(
        [_tool("llvm-symbolizer"), f"--obj={path}", "--output-style=LLVM"],
        "".join(f"0x{offset:x}\n" for offset in offsets),
    )
    answers = []
    for block in output.rstrip("\n").split("\n\n"):
        lines = block.splitlines()
        frames = []
        for name, place in zip(lines[::2], lines[1::2], strict=True):
            source, line, _ = place.rsplit(":", 2)
            frames.append((name if name != "??" else "?", source, int(line)))
        answers.append(frames)
    return answers


def _frame(name: str, source: str, line: int, path: str) -> Frame:
    ours = source.startswith(f"{_SOURCES}/")
    if ours and line:
        return Frame(name, f"{Path(source).relative_to(_SOURCES)}:{line}", ours=True)
    # Specialised code of the standard library has no line, or one that says nothing.
    known = line and source.startswith("/") and not source.endswith("-generated>")
    return Frame(name, f"{Path(source).name}:{line}" if known else Path(path).name, ours=False)


def report(
    stacks: dict[Stack, Sampled], names: Names, jobs: float, top: int, depth: int
) -> list[str]:
    """Two tables: by the first line of ours on each stack, and by the way that leads to it."""
    by_line: dict[str, Sampled] = defaultdict(Sampled)
    by_way: dict[tuple[str, ...], Sampled] = defaultdict(Sampled)
    for stack, sampled in stacks.items():
        frames = names.stack(stack)
        first = next((number for number, each in enumerate(frames) if each.ours), None)
        if first is None:
            first = next((n for n, each in enumerate(frames) if not _runtime(each)), 0)
        by_line[str(frames[first])].add(sampled)
        by_way[tuple(str(each) for each in _way(frames, first, depth))].add(sampled)
    lines = ["a job, by the first line of ours:", *_heading()]
    lines += [f"{_figures(each, jobs)}  {name}" for name, each in _largest(by_line, top)]
    lines += ["", "a job, by stack, the innermost first:", *_heading()]
    for way, each in _largest(by_way, top):
        lines.append(f"{_figures(each, jobs)}  {way[0]}")
        lines += [f"{'':18}{frame}" for frame in way[1:]]
    return lines


def _heading() -> list[str]:
    return [f"{'calls':>8}{'bytes':>8}"]


def _figures(sampled: Sampled, jobs: float) -> str:
    return f"{sampled.count / jobs:8.2f}{sampled.bytes / jobs:8.0f}"


def _largest(table: dict[Any, Sampled], top: int) -> list[tuple[Any, Sampled]]:
    return sorted(table.items(), key=lambda item: -item[1].count)[:top]


def _runtime(frame: Frame) -> bool:
    """An allocator of the language itself, which says nothing about who asked."""
    return frame.function in _ALLOCATORS


def _way(frames: list[Frame], first: int, depth: int) -> list[Frame]:
    """From the first frame that is no allocator to `depth` lines of ours."""
    start = next((number for number, each in enumerate(frames) if not _runtime(each)), first)
    return frames[min(start, first) : first + depth]
