"""What survives of a change: a pure function of three versions of a file, checked over many of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.rework import degree
from orchestrator.survival import Survival, survival

LONG = "value = compute(first, second)"
TEXTS = st.lists(st.sampled_from(["a", "  a", "b", "c", "}", "", "return None", LONG]))
"""Few lines, many times: whatever can be confused is."""


@given(TEXTS, TEXTS)
def test_what_was_merged_as_it_was_handed_over_stands(base: list[str], handed: list[str]) -> None:
    """Every line, whatever it was changed from."""
    found = survival(base, handed, handed)
    assert (found.reworked, found.rearranged) == (0, 0)


@given(TEXTS, TEXTS)
@example([LONG, "a", "b", "c"], ["a", "b", "c", LONG])
def test_a_change_that_was_dropped_is_reworked_as_a_whole(base: list[str], handed: list[str]) -> None:
    """Every line, even where another one reads the same, and where only the form was changed."""
    found = survival(base, handed, base)
    assert (found.reworked, found.rearranged) == (found.handed, 0)


@given(TEXTS, TEXTS, TEXTS)
def test_no_more_is_lost_than_was_handed_over(base: list[str], handed: list[str], merged: list[str]) -> None:
    """And how much that was does not depend on what became of it."""
    found = survival(base, handed, merged)
    assert found.reworked >= 0
    assert found.rearranged >= 0
    assert found.reworked + found.rearranged <= found.handed == survival(base, handed, handed).handed


@dataclass(frozen=True)
class Stretch:
    """Lines of the base that one hunk replaces or that others rewrite, each followed by a line nobody touches."""

    who: Literal["us", "others"]
    before: int
    after: int
    dropped: bool
    altered: frozenset[int]


STRETCHES = st.lists(
    st.builds(
        Stretch,
        who=st.sampled_from(["us", "others"]),
        before=st.integers(0, 4),
        after=st.integers(0, 4),
        dropped=st.booleans(),
        altered=st.frozensets(st.integers(0, 3)),
    ),
    max_size=8,
)


def versions(stretches: Sequence[Stretch]) -> tuple[list[str], list[str], list[str]]:
    """Base, handed over and merged; no line is there twice."""
    base, handed, merged = list[str](), list[str](), list[str]()
    names = (f"line {number}" for number in count())
    for each in stretches:
        old, new = ([next(names) for _ in range(number)] for number in (each.before, each.after))
        changed = [next(names) if at in each.altered else line for at, line in enumerate(new)]
        stays = next(names)
        base += [*old, stays]
        handed += [*(new if each.who == "us" else old), stays]
        merged += [*(old if each.dropped else changed), stays]
    return base, handed, merged


def of_us(stretches: Sequence[Stretch]) -> list[Stretch]:
    return [each for each in stretches if each.who == "us"]


@given(STRETCHES)
def test_exactly_the_lines_that_were_dropped_or_altered_are_reworked(stretches: list[Stretch]) -> None:
    """A dropped hunk counts whole, an altered line once, and what others wrote elsewhere for nothing."""
    lost = [
        max(each.before, each.after) if each.dropped else len([at for at in each.altered if at < each.after])
        for each in of_us(stretches)
    ]
    handed = sum(max(each.before, each.after) for each in of_us(stretches))
    assert survival(*versions(stretches)) == Survival(handed, sum(lost), 0)


@given(STRETCHES, st.data())
def test_work_of_others_never_raises_the_degree(stretches: list[Stretch], data: st.DataObject) -> None:
    """With it and without it, the change fares the same."""
    undone = [
        Stretch("others", each.before, each.after, True, each.altered) if each.who == "others" else each
        for each in stretches
    ]
    alone = survival(*versions(undone))
    together = survival(*versions(stretches))
    assert degree(together.handed, together.reworked, together.rearranged) == degree(
        alone.handed, alone.reworked, alone.rearranged
    )


BASE = """import os

def first():
    return 1
"""
SECOND = """
def second(items):
    total = 0
    for item in items:
        total += item
    return report('total', total, items)
"""
HANDED = BASE + SECOND
CASES = {
    "somebody else's function after it": (HANDED + "\ndef third():\n    return 3\n", (5, 0, 0)),
    "somebody else's function before it": (BASE + "\ndef third():\n    return 3\n" + SECOND, (5, 0, 0)),
    "somebody else's work on other lines": (HANDED.replace("return 1", "return one()"), (5, 0, 0)),
    "moved up in the file": (SECOND + BASE, (5, 0, 5)),
    "moved up, one line altered": (SECOND.replace("+= item", "+= int(item)") + BASE, (5, 1, 4)),
    "indented otherwise": (BASE + "\nif os:\n" + SECOND.replace("\n", "\n    "), (5, 0, 5)),
    "wrapped by a formatter": (
        HANDED.replace(
            "report('total', total, items)", 'report(\n        "total",\n        total,\n        items,\n    )'
        ),
        (5, 0, 1),
    ),
    "blank lines and line ends": (HANDED.replace("\n", " \r\n\r\n"), (5, 0, 0)),
    "a line altered": (HANDED.replace("total = 0", "total = 1"), (5, 1, 0)),
    "a line taken out": (HANDED.replace("    total = 0\n", ""), (5, 1, 0)),
    "two lines put in": (HANDED.replace("    return rep", "    check()\n    log()\n    return rep"), (5, 2, 0)),
    "many lines put in": (HANDED.replace("    return rep", "    check()\n" * 50 + "    return rep"), (5, 5, 0)),
    "a line in place of three": (BASE + SECOND[:20] + "    total = sum(items)\n" + SECOND[-41:], (5, 3, 0)),
    "all of it gone, but for a line that is there by chance": (
        BASE + "\ndef third():\n    total = 0\n    return total\n",
        (5, 4, 0),
    ),
    "the file gone": ("", (5, 5, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_people_do_to_a_change(name: str) -> None:
    """A function was handed over; so many of its lines were reworked, and so many rearranged."""
    merged, expected = CASES[name]
    assert survival(*(text.split("\n") for text in (BASE, HANDED, merged))) == Survival(*expected)


def test_a_change_of_indentation_is_a_change() -> None:
    """As a fix in Python can be: dropped, it is major; merged, nothing happened to it."""
    base, handed = (
        ["for each in all:", "    use(each)", "    return 1"],
        ["for each in all:", "    use(each)", "return 1"],
    )
    assert survival(base, handed, base) == Survival(1, 1, 0)
    assert survival(base, handed, ["import all", *handed]) == Survival(1, 0, 0)


def test_a_short_line_has_to_stand_in_its_place() -> None:
    """There it may be indented otherwise; elsewhere its like stands by chance."""
    base, handed = ["a", "b", "c"], ["a", "}", "b", "c"]
    assert survival(base, handed, ["a", "  }", "b", "c"]) == Survival(1, 0, 1)
    assert survival(base, handed, ["a", "b", "c", "}"]) == Survival(1, 1, 0)
    assert survival(base, [*base, "x", "y", "z"], [*base, "  x", "  why", "  z"]) == Survival(3, 1, 2)


def test_removed_lines_that_are_back_are_reworked() -> None:
    """Of three removed lines two are there again, beside what others wrote."""
    base, handed = ["a", "b", "c", "d", "e"], ["a", "e"]
    assert survival(base, handed, ["a", "x", "b", "d", "e"]) == Survival(3, 2, 0)


def test_a_file_that_was_deleted_and_stays_is_reworked() -> None:
    """Each of its lines; one that is gone is not."""
    assert survival(["a", "b"], [], ["a", "b", "c"]) == Survival(2, 2, 0)
    assert survival(["a", "b"], [], []) == Survival(2, 0, 0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((8, 0, 0), "none"),
        ((8, 0, 8), "minor"),
        ((8, 1, 0), "minor"),
        ((8, 2, 6), "minor"),
        ((8, 3, 0), "major"),
        ((1, 1, 0), "major"),
        ((0, 0, 0), "none"),
    ],
)
def test_the_degrees(lines: tuple[int, int, int], said: str) -> None:
    """Up to a quarter of the lines is minor, and so is it if all are only rearranged."""
    assert degree(*lines) == said
