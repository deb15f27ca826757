"""Kill Podium everywhere, and see that nothing is lost, nothing comes twice and nothing is left.

    python -m tests.survival                        # the matrix: every crash point, in every process that passes it
    python -m tests.survival --only 'commit.*' --every
    python -m tests.survival --list
    python -m tests.survival --random 200 --seed 7  # runs with one to three kills by lot

Ends with 1 if anything differs from the undisturbed run, or a crash point is never passed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

import click

from bus.crash import POINTS
from tests.survival.cells import Cell, Found, Passages, drawn, matrix
from tests.survival.lanes import Lanes, lanes
from tests.survival.scenes import SCENES
from tests.survival.verdict import Verdict, judge, table


def main() -> int:
    """Be the command; its exit status."""
    options = _options()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="podium-survival-", ignore_cleanup_errors=True) as folder:
        with lanes(Path(folder), options.jobs) as running:
            golden = {found.cell.scene: found for found in running.run(Cell(scene=name) for name in SCENES)}
            for found in golden.values():
                assert not found.problem, f"{found.cell}: {found.problem}"
            cells, dead = _by_lot(options, running, golden) if options.random else _by_point(options, golden)
            if options.list:
                click.echo("\n".join(map(str, cells)))
                running.close()
                return 0
            verdicts = _verdicts(running, cells, golden, loud=not options.json)
            left = running.close()
    wrong = [verdict for verdict in verdicts if not verdict.ok or (not verdict.hit and not options.random)]
    if options.json:
        rows = [{**asdict(each), "cell": each.cell.model_dump(), "ok": each.ok} for each in verdicts]
        click.echo(json.dumps({"cells": rows, "dead_points": dead, "left": left}, indent=2))
    else:
        click.echo(table(wrong) if wrong else "No difference.")
        for point in dead:
            click.echo(f"never passed: {point}")
        for each in left:
            click.echo(f"left in the end: {each}")
        if len(verdicts) < len(cells):
            click.echo(f"not run: {len(cells) - len(verdicts)} cells, as every lane broke")
        click.echo(_summary(verdicts, wrong, time.monotonic() - began))
    return 1 if wrong or dead or left or len(verdicts) < len(cells) else 0


def _by_lot(options: argparse.Namespace, running: Lanes, golden: dict[str, Found]) -> tuple[list[Cell], list[str]]:
    """Runs with kills by lot, at moments of a run like theirs: in a house that is up."""
    seconds = {found.cell.scene: found.seconds for found in running.run(Cell(scene=name, warm=True) for name in SCENES)}
    names, passages = sorted(SCENES), _passages(golden)
    of = [(seed, names[seed % len(names)]) for seed in range(options.seed, options.seed + options.random)]
    return [drawn(passages[name], name, seconds[name], seed) for seed, name in of], []


def _by_point(options: argparse.Namespace, golden: dict[str, Found]) -> tuple[list[Cell], list[str]]:
    """The cells of the matrix, and the crash points that nothing passes."""
    passages = _passages(golden)
    cells = [cell for cell in matrix(passages, every=options.every) if _wanted(cell, options.only)]
    passed = {point for of in passages.values() for point, _ in of}
    passed |= {kill.point for cell in cells for kill in cell.kills}
    return _spread(cells), [point for point in POINTS if point not in passed and fnmatch(point, options.only)]


def _passages(golden: dict[str, Found]) -> dict[str, Passages]:
    return {
        name: Passages({(point, process): n for point, process, n in found.passages}) for name, found in golden.items()
    }


def _wanted(cell: Cell, pattern: str) -> bool:
    return any(fnmatch(text, pattern) for text in (str(cell), *(kill.point for kill in cell.kills)))


def _spread(cells: Iterable[Cell]) -> list[Cell]:
    """In an order in which one member does not die twice in a row: it would be started again ever more slowly."""
    of: dict[str, list[Cell]] = {}
    for cell in cells:
        of.setdefault(cell.kills[0].of, []).append(cell)
    turns = Counter({name: len(each) for name, each in of.items()})
    places = [((nth + 0.5) / turns[name], cell) for name, each in of.items() for nth, cell in enumerate(each)]
    return [cell for _, cell in sorted(places, key=lambda each: each[0])]


def _verdicts(running: Lanes, cells: list[Cell], golden: dict[str, Found], *, loud: bool) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for found in running.run(cells):
        verdict = judge(golden[found.cell.scene], found)
        verdicts.append(verdict)
        if loud:
            mark = "ok " if verdict.ok and verdict.hit else "not hit" if verdict.ok else "WRONG"
            click.echo(f"{len(verdicts)}/{len(cells)} {mark} {found.seconds:5.1f} s  {found.cell}", err=True)
    return verdicts


def _summary(verdicts: list[Verdict], wrong: list[Verdict], seconds: float) -> str:
    sums = {
        "differences": sum(len(each.differences) for each in verdicts),
        "doubles": sum(len(each.doubles) for each in verdicts),
        "left behind": sum(len(each.left) for each in verdicts),
        "not hit": sum(not each.hit for each in verdicts),
    }
    told = ", ".join(f"{number} {what}" for what, number in sums.items())
    return f"{len(verdicts)} cells, {len(wrong)} wrong: {told}; {seconds / 60:.1f} minutes"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.survival", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells, or points, that look like this")
    parser.add_argument("--every", action="store_true", help="each passage of a point, not some of them")
    parser.add_argument("--list", action="store_true", help="only say what would be run")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N runs with kills by lot instead")
    parser.add_argument("--seed", type=int, default=None, help="of the first of them; the others count on from it")
    parser.add_argument("--jobs", type=int, default=2, help="houses side by side")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 30)
    if options.random:
        click.echo(f"seed {options.seed}", err=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
