"""Set clocks in the middle of runs, and see that a run ends as one by whose clocks nobody has been.

    python -m tests.clocks                     # each process, a day forward and a day back
    python -m tests.clocks --only '*house*'
    python -m tests.clocks --list

Ends with 1 if anything differs from the undisturbed run, or a clock was not set.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import click

from tests.clocks.lane import EVERYBODY, Jump, clock_lane
from tests.clocks.settable import BACK, FORWARD
from tests.survival.cells import HOUSE, ORCHESTRATOR, PERSON, Cell, Found
from tests.survival.scenes import SCENES
from tests.survival.verdict import Verdict, judge, table

_MOMENTS = ("event.after_store", "execute.before", "call.after_store", "decision.after_store")
"""Where a process stands when its clock is set: at the first of these that it passes."""


def main() -> int:
    """Be the command; its exit status."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="podium-clocks-", ignore_cleanup_errors=True) as folder:
        with clock_lane(Path(folder)) as lane:
            golden = {name: lane.run(Cell(scene=name)) for name in SCENES}
            for found in golden.values():
                assert not found.problem, f"{found.cell}: {found.problem}"
            cells = [cell for cell in matrix(golden) if fnmatch(str(cell), options.only)]
            if options.list:
                click.echo("\n".join(map(str, cells)))
                return 0
            verdicts = list[Verdict]()
            for cell in cells:
                verdicts.append(judge(golden[cell.scene], lane.run(cell)))
                click.echo(f"{len(verdicts)}/{len(cells)} {'ok   ' if verdicts[-1].ok else 'WRONG'} {cell}", err=True)
            left = lane.close()
    wrong = [verdict for verdict in verdicts if not (verdict.ok and verdict.hit)]
    click.echo(table(wrong) if wrong else "No difference.")
    click.echo(
        "\n".join([f"{len(verdicts)} clocks set, {len(wrong)} wrong", *(f"left in the end: {it}" for it in left)])
    )
    return 1 if wrong or left else 0


def matrix(golden: dict[str, Found]) -> Iterator[Cell]:
    """Each process that is at work in a run, in the first scene that has it; house and all at once in each scene."""
    seen: set[str] = {PERSON, HOUSE}
    for scene, found in golden.items():
        times = {(point, process): n for point, process, n in found.passages}
        for victim in sorted({process for _, process in times} - seen):
            point = next((point for point in _MOMENTS if (point, victim) in times), None)
            if point is not None:
                seen.add(victim)
                yield from _both(scene, victim, point, victim, times)
        for victim in (HOUSE, EVERYBODY):
            yield from _both(scene, victim, "event.after_store", ORCHESTRATOR, times)


def _both(scene: str, victim: str, point: str, process: str, times: dict[tuple[str, str], int]) -> Iterator[Cell]:
    nth = (times[point, process] + 1) // 2
    for signum in (FORWARD, BACK):
        yield Cell(scene=scene, kills=(Jump(victim=victim, point=point, process=process, nth=nth, signum=signum),))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.clocks", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cells that look like this")
    parser.add_argument("--list", action="store_true", help="only say what would be run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
