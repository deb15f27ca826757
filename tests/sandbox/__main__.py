"""Attack every sandbox that works here, and say what came of it.

    python -m tests.sandbox                       # attack x backend, each attack first without a sandbox
    python -m tests.sandbox --only 'connect*' --json

Ends with 1 if anything got through that the backend's level does not admit, or if an attack that everybody could make
does not succeed without a sandbox either: then its failure elsewhere means nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from fnmatch import fnmatch

import anyio
import anyio.to_thread
import click

from tests.sandbox.attacks import Attack
from tests.sandbox.battery import EVERY_ATTACK, attempt, attempt_bare, known
from tests.sandbox.cells import BACKENDS, Cell, available, cell, heirloom, scratch_root, unavailable
from tests.sandbox.survivors import KILLS, TOLD, survive
from tests.sandbox.table import BREACH, CONTAINED, NOT_AVAILABLE, OPEN, PROVES_NOTHING, SHOWN, Row, table

_SURVIVAL = "outlive a kill of {}"
_SHOWN_ELSEWHERE = "as daemons do, above"


def main(words: Sequence[str]) -> int:
    """Be the command; its exit status."""
    reasons = {name: why for name in BACKENDS if (why := unavailable(name))}
    return anyio.run(_attack, _options(words), reasons)


async def _attack(options: argparse.Namespace, reasons: Mapping[str, str]) -> int:
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        cells = [await stack.enter_async_context(cell(name)) for name in available()]
        for attack in EVERY_ATTACK:
            if fnmatch(attack.name, options.only):
                rows.append(await _attacked(cells, attack))
                _tell(rows[-1])
        levels: dict[str, str] = {each.backend: each.sandbox.level for each in cells}
        notes = {each.backend: each.sandbox.report.notes for each in cells if each.sandbox.report.notes}
    for killed in KILLS:
        if fnmatch(_SURVIVAL.format(killed), options.only):
            rows.append(await _killed(killed))
            _tell(rows[-1])
    if options.json:
        click.echo(json.dumps({"levels": levels, "not_available": reasons, "attacks": [asdict(r) for r in rows]}))
    else:
        click.echo(table(rows, levels, reasons, notes))
        click.echo(f"{len(rows)} attacks, {sum(row.bad for row in rows)} to look at.")
    return 1 if not rows or not cells or any(row.bad for row in rows) else 0


async def _attacked(cells: Sequence[Cell], attack: Attack) -> Row:
    with scratch_root() as root, heirloom(root):
        breaches, _ = await anyio.to_thread.run_sync(attempt_bare, root, attack)
    bare = SHOWN if breaches else f"not shown: needs {attack.needs}" if attack.needs else PROVES_NOTHING
    outcomes, said = dict.fromkeys(BACKENDS, NOT_AVAILABLE), dict[str, list[str]]()
    for where in cells:
        breaches, finished = await attempt(where, attack)
        if finished.report.ended not in attack.ends:
            breaches.append(f"ended by {finished.report.ended}")
        outcomes[where.backend] = CONTAINED if not breaches else OPEN if known(where.backend, attack) else BREACH
        if breaches:
            said[where.backend] = breaches
    return Row(attack.name, bare, outcomes, said)


async def _killed(killed: str) -> Row:
    outcomes, said = dict.fromkeys(BACKENDS, NOT_AVAILABLE), dict[str, list[str]]()
    for backend in available():
        try:
            told = await survive(backend, KILLS[killed])
            wrong = [] if bool(told) == (KILLS[killed] in TOLD) else ["the specialist did not learn of it"]
        except TimeoutError:
            wrong = ["a process of the job is still there"]
        outcomes[backend] = BREACH if wrong else CONTAINED
        if wrong:
            said[backend] = wrong
    return Row(_SURVIVAL.format(killed), _SHOWN_ELSEWHERE, outcomes, said)


def _tell(row: Row) -> None:
    click.echo(f"{'LOOK' if row.bad else 'ok'}  {row.attack}", err=True)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sandbox", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="attacks that are called like this")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
