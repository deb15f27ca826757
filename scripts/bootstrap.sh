#!/usr/bin/env bash
# Make .venv from requirements.lock: any Python >= 3.11 that has pip, no root, no system package.
# `PYTHON=/path/to/python make demo` chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/.podium-ready
recipe=$(cat pyproject.toml requirements.lock scripts/bootstrap.sh | cksum)

[ -x $venv/bin/podium ] && [ "$(cat $stamp 2>/dev/null)" = "$recipe" ] && exit 0

suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if suits "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "Podium needs Python 3.11 or newer; found: ${PYTHON:-$(python3 --version 2>&1 || echo none)}." >&2
    echo "Install one (your system's packages, python.org, or 'uv python install 3.12')" >&2
    echo "and say where it is: PYTHON=/path/to/python3.12 make demo" >&2
    exit 1
fi

say() { echo "· $*" >&2; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
    "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    echo "This step failed: $*" >&2
    return 1
}

# A .venv that was made by hand or by another interpreter is completed, not thrown away.
if ! [ -x $venv/bin/python ] || ! suits $venv/bin/python; then
    say "virtual environment ($("$python" --version))"
    # Debian's Python comes without ensurepip: there, the outer pip fills the environment.
    "$python" -m venv --clear $venv >"$log" 2>&1 || quietly "$python" -m venv --clear --without-pip $venv
fi
lock_of() { sed -n "/^$1==/,/[^\\\\]\$/p" requirements.lock; }
if [ "$($venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$(lock_of uv | sed -n '1s/^uv==\([^ ]*\).*/\1/p')" ]; then
    say "uv"
    lock_of uv >$venv/uv.lock.txt
    if $venv/bin/python -m pip --version >/dev/null 2>&1; then
        quietly $venv/bin/python -m pip install --quiet --require-hashes -r $venv/uv.lock.txt
    else
        quietly "$python" -m pip --python $venv/bin/python install --quiet --require-hashes -r $venv/uv.lock.txt
    fi
fi
say "locked dependencies (requirements.lock)"
export VIRTUAL_ENV=$PWD/$venv
quietly $venv/bin/uv pip sync --quiet --require-hashes --compile-bytecode requirements.lock
quietly $venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
$venv/bin/python -m compileall -q contracts bus servers orchestrator || true
echo "$recipe" >$stamp
