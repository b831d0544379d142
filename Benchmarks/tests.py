"""That `make bench` refuses at once what it could not measure.

    python -m unittest Benchmarks.tests
"""

from __future__ import annotations

import subprocess
import sys
import unittest

from Benchmarks.contenders import ROOT

_PROGRAM = sys.executable  # any that can be run


def _refusal(*words: str) -> str:
    """What is said of these options; every program that is not named is there."""
    given = {"--backhaul": _PROGRAM, "--driver": _PROGRAM, "--peers": _PROGRAM}
    given.update(zip(words[::2], words[1::2]))
    done = subprocess.run(
        [sys.executable, "-m", "Benchmarks", *(word for each in given.items() for word in each)],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
    )
    assert done.returncode == 2, f"status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stderr


class Arguments(unittest.TestCase):
    def test_a_program_that_is_not_there(self) -> None:
        for option in ("--backhaul", "--driver", "--peers"):
            self.assertIn("/nowhere is no program that can be run", _refusal(option, "/nowhere"))

    def test_rounds_that_are_no_number_of_rounds(self) -> None:
        for rounds in ("0", "-1", "1.5", "many"):
            self.assertIn("is no number of rounds: 1 or more", _refusal("--rounds", rounds))

    def test_parts_that_are_none(self) -> None:
        self.assertIn("no part is called nope", _refusal("--only", "drain,nope"))
        for nothing in ("", " , "):
            self.assertIn("no part is named", _refusal("--only", nothing))


if __name__ == "__main__":
    unittest.main()
