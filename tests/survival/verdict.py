"""What a cell's findings mean, beside those of the undisturbed run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.survival.cells import Cell, Found
from tests.survival.evidence import differences, doubles


@dataclass(frozen=True)
class Verdict:
    """One row of the table."""

    cell: Cell
    hit: bool
    exits: tuple[int, ...]
    differences: tuple[str, ...]
    doubles: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing was lost, nothing came twice and nothing was left."""
        return not (self.differences or self.doubles or self.left)


def judge(golden: Found, found: Found) -> Verdict:
    """Compare what came of a cell with what came of its scene without a kill."""
    cell, evidence = found.cell, dict(found.evidence)
    left = tuple(str(each) for each in evidence.pop("left behind", ()))
    expected = {name: value for name, value in golden.evidence.items() if name != "left behind"}
    said = [found.problem] if found.problem else differences(expected, evidence, asks_again=cell.asks_again)
    again = sum(code not in (0, 3) for code in found.exits)
    if again > cell.resumes:
        said.append(f"a person had to go on {again} times, not {cell.resumes}")
    return Verdict(
        cell=cell,
        hit=not found.missed,
        exits=tuple(found.exits),
        differences=tuple(said),
        doubles=tuple(doubles(expected, evidence, asks_again=cell.asks_again)),
        left=left,
        seconds=found.seconds,
    )


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts for people: what is wrong stands below its row."""
    width = max([len(str(verdict.cell)) for verdict in verdicts], default=0)
    lines = [f"{'cell':{width}}  hit  exits       diff  twice  left    s"]
    for each in verdicts:
        exits = ",".join(map(str, each.exits)) or "-"
        hit = "yes" if each.hit else "NO"
        counts = f"{len(each.differences):4}  {len(each.doubles):5}  {len(each.left):4}"
        lines.append(f"{each.cell!s:{width}}  {hit:3}  {exits:10}  {counts}  {each.seconds:4.1f}")
        lines += [f"    differs: {said}" for said in each.differences]
        lines += [f"    twice:   {said}" for said in each.doubles]
        lines += [f"    left:    {said}" for said in each.left]
    return "\n".join(lines)
