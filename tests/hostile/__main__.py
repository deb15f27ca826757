"""Have a hostile member try everything, and say what held it and what the audit has of it.

    python -m tests.hostile
    python -m tests.hostile --json

Ends with 1 if anything was gained, if an attempt failed for want of its own means, or is missing in the audit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import anyio
import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.text import line
from tests.hostile.battery import Row, attack


def main() -> int:
    """Be the command; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="podium-hostile-") as folder:
        rows = anyio.run(attack, Path(folder))
    if options.json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console(width=150).print(_table(rows))
        click.echo(f"{len(rows)} attempts, {sum(row.bad for row in rows)} to look at.")
    return int(any(row.bad for row in rows))


def _table(rows: list[Row]) -> Table:
    drawn = Table(box=None, pad_edge=False)
    for title in ("at", "attempt", "held by", "in the audit", "what it was told"):
        drawn.add_column(title, overflow="fold", max_width=70)
    for row in rows:
        style = "bold red" if row.bad else ""
        drawn.add_row(
            row.at,
            Text(line(row.attempt, 120)),
            Text(row.held, style),
            Text(row.audit, style),
            Text(line(row.told, 60)),
        )
    return drawn


if __name__ == "__main__":
    sys.exit(main())
