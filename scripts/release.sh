#!/usr/bin/env bash
# Builds the optimised executable; says nothing more than needed when there is nothing to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log="$(mktemp)"
trap 'rm -f "$log"' EXIT

printf '  building backhaul (release; the first time takes a few minutes)\n'
if [[ -t 1 ]]; then
    swift build -c release --product backhaul
elif ! swift build -c release --product backhaul >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
