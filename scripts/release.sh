#!/usr/bin/env bash
# Builds an optimised executable; says nothing more than needed when there is nothing to do.
#
#   scripts/release.sh [PRODUCT]    backhaul unless given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

product="${1:-backhaul}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

printf '  building %s (release; the first time takes a few minutes)\n' "$product"
if [[ -t 1 ]]; then
    swift build -c release --product "$product"
elif ! swift build -c release --product "$product" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
