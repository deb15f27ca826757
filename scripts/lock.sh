#!/usr/bin/env bash
# Write requirements.lock anew from pyproject.toml: every package with its hashes, for every platform,
# and no word on where they come from. Arguments go to uv, e.g. `scripts/lock.sh --upgrade`.
# The same for what tests take from npm, as far as each package.json beside them changed.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv
"$uv" pip compile pyproject.toml --group dev --universal --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --quiet --output-file requirements.lock "$@"
if grep -n '://\|^ *-i \|--index\|--find-links' requirements.lock; then
    echo "requirements.lock names a host or an index; it must not" >&2
    exit 1
fi
for lock in tests/*/package-lock.json; do
    (cd "$(dirname "$lock")" && npm install --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error)
done
if grep -n '"resolved"' tests/*/package-lock.json; then
    echo "a package-lock.json names where packages come from; it must not" >&2
    exit 1
fi
