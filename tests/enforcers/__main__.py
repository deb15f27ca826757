"""Try every cell of docs/scopes.md at its layer, with the other layers switched off, and say what came of it.

    python -m tests.enforcers                      # server x scope x enforcer
    python -m tests.enforcers --only 'model *' --json

Each is tried three times: with the scope it goes through, without it it is refused, and without it and without this
one enforcer it goes through again. Ends with 1 if anything goes through that may not, or is refused whatever is done:
then that it is refused means nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatch

import anyio
import click

from scripts.scopes_page import NOT_HERE
from tests.enforcers.ground import ground
from tests.enforcers.matrix import ENFORCERS, Cell, cells, tried
from tests.enforcers.seen import HELD, Seen


def main(words: Sequence[str]) -> int:
    """Be the command; its exit status."""
    options = _options(words)
    with ground() as here:
        chosen = [cell for cell in cells(here) if fnmatch(cell.name, options.only)]
        found = anyio.run(tried, chosen, here)
    bad = [cell for cell, seen in found.items() if seen.verdict != HELD]
    if options.json:
        click.echo(json.dumps([_said(cell, seen) for cell, seen in found.items()]))
    else:
        click.echo(_table(found))
        click.echo(f"{len(found)} cells, {len(bad)} to look at.")
    return 1 if bad or not found else 0


def _said(cell: Cell, seen: Seen) -> dict[str, object]:
    return {"cell": cell.name, "enforcer": cell.enforcer, "verdict": seen.verdict, "through": asdict(seen)}


def _table(found: Mapping[Cell, Seen]) -> str:
    rows: dict[str, dict[str, str]] = {}
    for cell, seen in found.items():
        rows.setdefault(cell.who, {})[cell.enforcer] = seen.verdict
    width = max((len(name) for name in rows), default=0)
    lines = [f"{'':{width}}  {'  '.join(f'{one:14}' for one in ENFORCERS)}"]
    for name, verdicts in rows.items():
        lines.append(f"{name:{width}}  {'  '.join(f'{verdicts.get(one, NOT_HERE):14}' for one in ENFORCERS)}")
    return "\n".join(line.rstrip() for line in lines)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.enforcers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells that are called like this")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
