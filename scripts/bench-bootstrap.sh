#!/usr/bin/env bash
# What `make bench` needs beyond scripts/bootstrap.sh, which comes first: the systems to compare
# with, and the tools to measure with.
#
#   scripts/bench-bootstrap.sh      install what is missing; quick when nothing is
#
# Debian packages need root. Python packages go to .run/bench-venv. No server is started or enabled.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly venv=".run/bench-venv"
readonly requirements="scripts/bench-requirements.txt"
readonly stamp="$venv/.requirements.sha256"
readonly policy="/usr/sbin/policy-rc.d"
readonly packages=(
    ruby-sidekiq ruby-hiredis  # a peer, and the fast parser for its client
    nginx-light wrk            # where webhooks are sent, and the yardstick
    gcc libc6-dev libssl-dev   # the floor: minimal C programs
    valgrind binutils          # instructions and allocations per job
)

fail() {
    printf 'bench-bootstrap: %s\n' "$@" >&2
    exit 1
}

install_packages() {
    local package log
    local -a missing=()
    for package in "${packages[@]}"; do
        [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] \
            || missing+=("$package")
    done
    ((${#missing[@]} == 0)) && return
    ((EUID == 0)) || fail "these Debian packages are missing, and installing needs root:" \
        "sudo apt-get install ${missing[*]}"
    printf '  installing %s\n' "${missing[*]}"
    # A package's server must not come up on its default port: 101 means "not now" to Debian.
    if [[ ! -e "$policy" ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    log="$(mktemp)"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -o Acquire::Retries=3 -q update \
        && apt-get -o Acquire::Retries=3 -q install -y --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        fail "apt-get could not install ${missing[*]}; its whole output is in $log"
    fi
    rm -f "$log"
}

install_python() {
    local wanted base=".run/venv/bin/python"
    [[ -x "$base" ]] || fail "no $base: run scripts/bootstrap.sh first"
    wanted="$("$base" --version; sha256sum "$requirements")"
    if [[ -x "$venv/bin/python" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]] \
        && "$venv/bin/python" -c 'import celery, dramatiq, taskiq_redis' 2>/dev/null; then
        return
    fi
    printf '  preparing %s (%s)\n' "$venv" "$("$base" --version)"
    rm -rf "$venv"
    "$base" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --retries 5 -r "$requirements" \
        || fail "pip could not install $requirements (is the package index reachable?)"
    printf '%s\n' "$wanted" >"$stamp"
}

# Two makes at once must not share one half-made environment.
exec 9>".run/bootstrap.lock"
flock 9
install_packages
install_python
