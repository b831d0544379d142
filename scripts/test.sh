#!/usr/bin/env bash
# Builds and runs the tests, then repeats the runner's closing line where it cannot be missed.
#
#   scripts/test.sh [FILTER]     FILTER is a regular expression for `swift test --filter`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# Tests that speak to a real Celery start this interpreter.
export BACKHAUL_TEST_PYTHON="$PWD/.run/venv/bin/python"
unset REDIS_URL DATABASE_URL  # tests use servers of their own, whatever the shell is set up for

# As many tests at a time as there are cores: with all of them at once, as the runner would have it,
# tests of timeouts and leases wait for a processor longer than the times they test.
width="${TEST_WIDTH:-$(nproc)}"
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="$width"

options=(--disable-xctest)
[[ -n "${1:-}" ]] && options+=(--filter "$1")

# Leaves out what has only started, and shortens lines that quote whole test inputs.
quietly() { awk '!/^◇/ && !/" started\.$/ { print substr($0, 1, 500); fflush() }'; }

swift build --build-tests --explicit-target-dependency-import-check error
status=0
swift test --skip-build "${options[@]}" 2>&1 | tee "$log" | quietly || status=$?

closing="$(grep -E 'Test run with [0-9]+ tests?' "$log" | tail -n 1 || true)"
if [[ -z "$closing" ]]; then
    printf '\ntest: the runner ended without a closing line (status %d)\n' "$status" >&2
    exit 1
fi
failed="$(grep -E 'Test .* (failed after|recorded an issue)|Suite .* failed after' "$log" || true)"
if [[ -n "$failed" ]]; then printf '\nWhat failed:\n%s\n' "$failed"; fi
printf '\n%s\n' "$closing"
exit "$status"
