"""What of a handed-over change to a file survives in what was merged. Pure.

Three versions of the file are compared, as a three-way merge does it: the base, what was handed over, and what was
merged. The base tells the lines of the change from those that merely stand in the same file, so that what others did
to the latter counts for nothing.

A change is counted in lines that are not blank; a line in place of another is one. Of each of its hunks are

- *reworked*: lines that are gone or altered, removed lines that are back, and lines somebody put between two of the
  hunk's own, but never more than the hunk has; lines put before or after it are another's;
- *rearranged*: lines that are only indented, wrapped or quoted otherwise, as by a formatter, or stand elsewhere in the
  file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from contracts.diff import changes

MOVED = 20
"""Letters and digits that lines elsewhere have to have together to count as moved, as for git's `--color-moved`:
brackets and `return None` stand everywhere."""

_TRAILING_COMMA = re.compile(r",(?=[)\]}])")


@dataclass(frozen=True)
class Survival:
    """How many lines were handed over, and what became of them; the rest stands as it was handed over."""

    handed: int
    reworked: int
    rearranged: int


def survival(base: Sequence[str], handed: Sequence[str], merged: Sequence[str]) -> Survival:
    """Compare three versions of a file, given as lines; no lines where there is no such file."""
    old, ours, now = (_printed(lines) for lines in (base, handed, merged))
    to_ours, to_now = _same(old, ours), _same(old, now)
    stable = [(to_ours[at], to_now[at]) for at in to_ours if at in to_now]
    found = _Found(ours, now, _in_place(ours, now, stable))
    back = {at for at, there in to_now.items() if at not in to_ours and there in found.new}
    found.new.difference_update(to_now.values())
    found.indented_otherwise()
    found.wrapped_otherwise()
    found.elsewhere()
    total = Survival(0, 0, 0)
    for old_from, old_to, start, end in changes(old, ours):
        size = max(old_to - old_from, end - start)
        restored = sum(at in back for at in range(old_from, old_to))
        reworked = min(size, max(restored, found.lost(range(start, end))))
        rearranged = min(size - reworked, sum(at in found.rearranged for at in range(start, end)))
        total = Survival(total.handed + size, total.reworked + reworked, total.rearranged + rearranged)
    return total


def _printed(lines: Sequence[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()]


def _same(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Places of lines that stay, in both, in order."""
    found: dict[int, int] = {}
    at = 0
    for old_from, old_to, new_from, _ in [*changes(list(old), list(new)), (len(old), len(old), len(new), len(new))]:
        found.update(zip(range(at, old_from), range(new_from - (old_from - at), new_from), strict=True))
        at = old_to
    return found


def _in_place(ours: Sequence[str], now: Sequence[str], stable: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Places of our lines that stay; `stable` are those that stand in all three versions.

    Only between these are ours and theirs compared with one another: a hunk that was dropped is not taken for one that
    stayed because its lines stand elsewhere in the base.
    """
    found = dict(stable)
    for mine, theirs in _gaps(stable, len(ours), len(now)):
        same = _same(ours[mine.start : mine.stop], now[theirs.start : theirs.stop])
        found.update({mine[at]: theirs[there] for at, there in same.items()})
    return dict(sorted(found.items()))


def _gaps(anchors: Sequence[tuple[int, int]], ours: int, now: int) -> Iterator[tuple[range, range]]:
    """What lies between anchors, where it is something in both versions."""
    for (here, there), (next_here, next_there) in pairwise([(-1, -1), *anchors, (ours, now)]):
        if next_here - here > 1 and next_there - there > 1:
            yield range(here + 1, next_here), range(there + 1, next_there)


@dataclass
class _Found:
    """Where lines handed over stand in what was merged; the more is found, the less is `new`."""

    ours: list[str]
    now: list[str]
    in_place: dict[int, int]
    new: set[int] = field(init=False)
    """Merged lines that come from nowhere."""
    rearranged: set[int] = field(default_factory=set[int])
    """Our lines that are the same but for form or place."""

    def __post_init__(self) -> None:
        self.new = set(range(len(self.now))).difference(self.in_place.values())

    def indented_otherwise(self) -> None:
        for mine, theirs in self._gaps():
            same = _same([_bare(self.ours[at]) for at in mine], [_bare(self.now[at]) for at in theirs])
            self.in_place.update({mine[at]: theirs[there] for at, there in same.items()})
            self._rearranged([mine[at] for at in same], [theirs[there] for there in same.values()])
        self.in_place = dict(sorted(self.in_place.items()))

    def wrapped_otherwise(self) -> None:
        for mine, theirs in self._gaps():
            if _form([self.ours[at] for at in mine]) == _form([self.now[at] for at in theirs]):
                self._rearranged(mine, theirs)

    def elsewhere(self) -> None:
        # Each time round those that are in one order; what was moved past them comes next.
        while True:
            gone = [at for at in range(len(self.ours)) if at not in self.in_place and at not in self.rearranged]
            mine, new = [_bare(self.ours[at]) for at in gone], sorted(self.new)
            blocks = _blocks(_same(mine, [_bare(self.now[at]) for at in new]))
            moved = [each for each in blocks if sum(map(str.isalnum, "".join(mine[at] for at in each))) >= MOVED]
            if not moved:
                return
            for each in moved:
                self._rearranged([gone[at] for at in each], [new[there] for there in each.values()])

    def lost(self, hunk: range) -> int:
        """Lines of a hunk that are gone, and lines that were put between two that stay: the more of both."""
        lost, gone, last = 0, 0, None
        for at in hunk:
            if at in self.in_place:
                here = self.in_place[at]
                put = 0 if last is None else sum(there in self.new for there in range(last + 1, here))
                lost, gone, last = lost + max(gone, put), 0, here
            elif at not in self.rearranged:
                gone += 1
        return lost + gone

    def _gaps(self) -> list[tuple[range, list[int]]]:
        gaps = _gaps(list(self.in_place.items()), len(self.ours), len(self.now))
        return [(mine, [at for at in theirs if at in self.new]) for mine, theirs in gaps]

    def _rearranged(self, mine: Sequence[int], theirs: Sequence[int]) -> None:
        self.rearranged.update(mine)
        self.new.difference_update(theirs)


def _blocks(same: Mapping[int, int]) -> list[dict[int, int]]:
    """The same places, those in one piece together."""
    blocks: list[dict[int, int]] = []
    for at, there in same.items():
        if not blocks or blocks[-1].get(at - 1) != there - 1:
            blocks.append({})
        blocks[-1][at] = there
    return blocks


def _bare(line: str) -> str:
    return "".join(line.split())


def _form(lines: Sequence[str]) -> str:
    return _TRAILING_COMMA.sub("", "".join(map(_bare, lines))).replace("'", '"')
