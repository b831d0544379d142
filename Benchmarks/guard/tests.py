"""That the guard can fail, and that what counts allocations counts them all.

    python -m unittest Benchmarks.guard.tests
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from Benchmarks.guard import __main__ as command
from Benchmarks.guard import Counts, limits
from Benchmarks.guard.allocations import Allocations, compile_c

# Each call once with memory of its own: by name 7, of 8 + 6 * 9 + 10 + 11 + 64 + 64 + 12 bytes.
_SEVEN_CALLS = """
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **values) {
    int rounds = count > 1 ? atoi(values[1]) : 0;
    for (int round = 0; round < rounds; round++) {
        void *volatile made[7];
        made[0] = malloc(8);
        made[1] = calloc(6, 9);
        made[2] = realloc(NULL, 10);
        made[2] = realloc(made[2], 11);
        made[3] = aligned_alloc(64, 64);
        void *aligned;
        if (posix_memalign(&aligned, 64, 64) != 0) return 1;
        made[4] = aligned;
        made[5] = strdup("hello world");
        for (int each = 0; each < 6; each++) free(made[each]);
    }
    return 0;
}
"""
_BYTES_OF_SEVEN = 8 + 6 * 9 + 10 + 11 + 64 + 64 + 12


class GuardTests(unittest.TestCase):
    def setUp(self) -> None:
        self.bounds = limits.load()
        self.good = {name: [limit / 2] * 3 for name, limit in self.bounds.items()}

    def judged(self, figures: dict[str, list[float]], *options: str) -> tuple[int, str]:
        """Exit status and complaints of the command, for figures that nobody measured."""
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            present = ("--backhaul", sys.executable)  # any executable: nobody starts it
            status = command.main((*present, *options), measure=lambda _: Counts(figures, {}))
        return status, said.getvalue()

    def test_figures_within_their_limits_pass(self) -> None:
        self.assertEqual(self.judged(self.good), (0, ""))

    def test_each_figure_can_fail_the_guard_and_is_named(self) -> None:
        for name, limit in self.bounds.items():
            status, said = self.judged({**self.good, name: [limit * 1.5] * 3})
            self.assertEqual(status, 1, name)
            self.assertEqual(len(said.splitlines()), 1, said)
            self.assertIn(limits.UNITS[name][0], said)
            self.assertIn("over the limit", said)

    def test_a_limit_of_one_allocation_fails_and_says_by_how_much(self) -> None:
        figures = {**self.good, "allocations": [3.5, 3.25, 9.0]}
        status, said = self.judged(figures, "--limit", "allocations=1")
        self.assertEqual(status, 1)
        self.assertEqual(said, "guard: allocations: 3.50 a job, 2.50 over the limit of 1.00\n")

    def test_a_figure_that_is_missing_fails(self) -> None:
        for name in self.bounds:
            others = {each: self.good[each] for each in self.bounds if each != name}
            for figures in (others, {**others, name: []}):
                status, said = self.judged(figures)
                self.assertEqual((status, said), (1, f"guard: not measured: {name}\n"))

    def test_a_figure_of_nothing_fails(self) -> None:
        for name in self.bounds:
            status, said = self.judged({**self.good, name: [self.bounds[name], 0.0]})
            self.assertEqual((status, said), (1, f"guard: counted nothing: {name}\n"))

    def test_limits_that_guard_nothing_are_refused(self) -> None:
        for option in ("alocations=1", "allocations=", "allocations=0", "allocations=nan"):
            status, said = self.judged(self.good, "--limit", option)
            self.assertEqual(status, 1, option)
            self.assertTrue(said.startswith("guard: "), said)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "limits.json"
            file.write_text(json.dumps({"allocations": 10}))
            with self.assertRaises(limits.LimitError):
                limits.load(file)

    def test_an_executable_that_is_missing_fails(self) -> None:
        status, said = self.judged(self.good, "--backhaul", "/nowhere/backhaul")
        self.assertEqual((status, said), (1, "guard: no executable /nowhere/backhaul\n"))


class AllocationsTests(unittest.TestCase):
    def test_each_way_to_allocate_is_counted_with_its_bytes(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            source, program = directory / "seven.c", directory / "seven"
            source.write_text(_SEVEN_CALLS)
            compile_c(source, program)
            counters = Allocations(directory)
            seen = []
            for rounds in (100, 1100):
                before = counters.calls, counters.bytes
                subprocess.run(
                    [program, str(rounds)],
                    check=True,
                    env={**os.environ, **counters.environment()},
                )
                seen.append((counters.calls - before[0], counters.bytes - before[1]))
            (small, small_bytes), (large, large_bytes) = seen
            self.assertEqual(large - small, 7 * 1000)
            self.assertEqual(large_bytes - small_bytes, _BYTES_OF_SEVEN * 1000)


if __name__ == "__main__":
    unittest.main()
