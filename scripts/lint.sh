#!/usr/bin/env bash
# Formatting of Swift, syntax of bash and Python. Changes nothing; silent about what is in order.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
complain() {
    printf 'lint: %s\n' "$*" >&2
    status=1
}

swift format lint --strict --parallel --recursive Package.swift Sources Tests \
    || complain "run 'make format', then look at what is left"

for script in .ci/run scripts/*.sh; do
    bash -n "$script" || complain "$script does not parse"
    [[ -x "$script" ]] || complain "$script is not executable"
done
if command -v shellcheck >/dev/null; then
    shellcheck .ci/run scripts/*.sh || complain "shellcheck has remarks"
fi

python3 - <<'PYTHON' || complain "a Python file does not parse"
import ast, pathlib, sys

for folder in ("demo", "scripts", "Benchmarks", "chaos", "Tests"):
    for path in sorted(pathlib.Path(folder).rglob("*.py")):
        source = path.read_text()
        ast.parse(source, path)
        for number, line in enumerate(source.splitlines(), 1):
            if len(line) > 100 or line != line.rstrip():
                sys.exit(f"{path}:{number}: too long, or trailing space")
PYTHON

if ((status == 0)); then printf 'lint: all in order\n'; fi
exit "$status"
