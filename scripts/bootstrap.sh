#!/usr/bin/env bash
# Brings a bare Debian (with Swift) to the point where Backhaul builds, tests and demonstrates.
#
#   scripts/bootstrap.sh            install what is missing; quick when nothing is
#   scripts/bootstrap.sh --check    say what is missing and change nothing
#
# Debian packages need root. Python packages go to .run/venv, never to the system.
# No server is started or enabled by this script: demo and tests run private ones.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly run_directory=".run"
readonly venv="$run_directory/venv"
readonly requirements="scripts/requirements.txt"
readonly stamp="$venv/.requirements.sha256"
readonly policy="/usr/sbin/policy-rc.d"
readonly packages=(
    libhiredis-dev libpq-dev libcurl4-openssl-dev zlib1g-dev  # what the wrappers link
    redis-server postgresql pgbouncer                         # what tests and demo run
    valgrind binutils                                         # what make guard counts with
    ca-certificates tzdata git                                # TLS, time zones, dependencies
)
# Celery 5.7 asks for Python 3.10; ensurepip is the part that Debian packages apart.
readonly python_probe='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))'

say() { printf '  %s\n' "$*"; }
fail() {
    printf 'bootstrap: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '           %s\n' "$line" >&2; done
    exit 1
}

usable_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 /usr/bin/python3; do
        if [[ -n "$candidate" ]] && "$candidate" -c "$python_probe" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] \
            || printf '%s\n' "$package"
    done
    usable_python >/dev/null || printf '%s\n' python3 python3-venv
}

require_swift() {
    command -v swift >/dev/null || fail "no 'swift' on the PATH." \
        "Backhaul needs Swift 6.2 or newer: https://www.swift.org/install/linux/"
}

# A package's server must not come up on its default port: 101 means "not now" to Debian.
forbid_service_starts() {
    [[ -e "$policy" ]] && return
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
}

install_packages() {
    local -a missing
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} == 0)) && return
    if [[ "${1:-}" == --check ]]; then
        fail "missing Debian packages: ${missing[*]}"
    fi
    ((EUID == 0)) || fail "these Debian packages are missing, and installing needs root:" \
        "    sudo apt-get install ${missing[*]}" "then run the same command again."
    say "installing ${missing[*]}"
    local log
    log="$(mktemp)"
    forbid_service_starts
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -o Acquire::Retries=3 -q update \
        && apt-get -o Acquire::Retries=3 -q install -y --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        fail "apt-get could not install: ${missing[*]}" "its whole output is in $log"
    fi
    rm -f "$log"
}

install_python() {
    local wanted python
    python="$(usable_python)" || fail "no Python 3.10 or newer with the venv module." \
        "    sudo apt-get install python3 python3-venv"
    wanted="$("$python" --version; sha256sum "$requirements")"
    if [[ -x "$venv/bin/python" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]] \
        && "$venv/bin/python" -c 'import celery' 2>/dev/null; then
        return
    fi
    [[ "${1:-}" == --check ]] && fail "the Python packages of $requirements are not in $venv"
    say "preparing $venv ($("$python" --version))"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --retries 5 -r "$requirements" \
        || fail "pip could not install $requirements (is the package index reachable?)"
    printf '%s\n' "$wanted" >"$stamp"
}

main() {
    require_swift
    command -v dpkg-query >/dev/null || fail "this script knows Debian and its relatives only." \
        "Elsewhere install: hiredis, libpq, libcurl and zlib headers, Redis 6.2+, PostgreSQL 14+."
    mkdir -p "$run_directory"
    # Two makes at once must not share one half-made environment.
    exec 9>"$run_directory/bootstrap.lock"
    flock 9
    install_packages "${1:-}"
    install_python "${1:-}"
}

main "$@"
