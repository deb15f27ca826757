"""Honest repair: what passes the tests by deleting or faking behaviour is rejected, and said so."""

from __future__ import annotations

import pytest

from contracts.test_runner import Evidence
from servers.search.candidates import Edit
from servers.search.nonsense import literals, nonsense
from servers.search.rank import Plausible, changed_share, ranked, reasons
from servers.search.source import Source, parse

TESTED = literals([parse("def test():\n    assert f(41, 'needle') == 99\n")])


def edit(before: str, after: str, weight: float = 0.5) -> Edit:
    """An edit of the whole text."""
    source = Source.of("a.py", before)
    return Edit(source, 0, len(before), after, 1, "by hand", "by hand", weight)


def body(*lines: str) -> str:
    """A function of some lines."""
    return "def f(a, n: int):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (body("g(a)", "return a + 1"), body("pass"), "without a body"),
        (body("g(a)", "return a + 1"), body("return 99"), "without a body"),
        (body("g(a)", "return a + 1"), body("g(a)", "return 99"), "constant instead"),
        (body("if a:", "    g()"), body("if True:", "    g()"), "constant"),
        (body("if a:", "    g()"), body("if a or not a:", "    g()"), "contradicts"),
        (body("if a < n:", "    g()"), body("if a < a:", "    g()"), "compared with itself"),
        (body("while a:", "    g()"), body("while 1 == 1:", "    g()"), "constant"),
        (body("g(a)", "return a"), body("return a", "g(a)"), "never reached"),
        (body("if a:", "    raise E", "return a"), body("if a:", "    g()", "return a"), "deletes a raise"),
        (body("assert a", "return a"), body("return a"), "deletes a raise or an assert"),
        (body("return len(a)"), body("return len(n)"), "`len` of a number"),
        (body("a = g(n)", "return a"), body("a = a", "return a"), "assigned to itself"),
        (body("return a - n"), body("return a - a"), "combined with itself"),
        (body("return a - 1"), body("return a - 0"), "changes nothing"),
        (body("return a[0]"), body("if n == 41:", "    return 99", "return a[0]"), "41"),
        (body("return a == 'x'"), body("return a == 'needle'"), "needle"),
    ],
)
def test_nonsense_is_called_so(before: str, after: str, reason: str) -> None:
    """Each way of passing a test without repairing anything has its reason."""
    found = nonsense(edit(before, after), TESTED)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (body("return a + 1"), body("return a - 1")),
        (body("return a[0]"), body("if not a:", "    return None", "return a[0]")),
        (body("if a:", "    raise E", "return a"), body("if not a:", "    raise E", "return a")),
        (body("return a == 'neeedle'"), body("return a == 'needle'")),
        (body("return a == 40"), body("return a == 41")),
        (body("return len(n)"), body("return len(a)")),
        (body("return 1"), body("return 2")),
        (body("pass"), body("return a")),
    ],
)
def test_an_ordinary_repair_is_not_nonsense(before: str, after: str) -> None:
    """What was wrong before, or is merely different, is no reason to reject."""
    assert nonsense(edit(before, after), TESTED) is None


def seen(observed: int, changed: int, through: int = 1) -> Evidence:
    return Evidence(
        suite_passed=5, suite_failed=0, tests_through=through, calls_observed=observed, calls_changed=changed
    )


def test_the_smallest_change_of_behaviour_comes_first() -> None:
    """Ranking looks at what the other tests observe before it looks at how likely an edit is."""
    text = body("return a")
    bold = Plausible(edit(text, body("return n"), weight=0.9), seen(10, 8))
    unknown = Plausible(edit(text, body("return -a"), weight=0.5), seen(0, 0, 0))
    quiet = Plausible(edit(text, body("return +a"), weight=0.1), seen(10, 0))
    assert ranked([bold, unknown, quiet]) == [quiet, unknown, bold]


def test_with_equal_behaviour_the_likelier_edit_comes_first() -> None:
    """Two edits that change nothing observed are ordered by weight, then by size."""
    text = body("return a")
    rare = Plausible(edit(text, body("return n"), weight=0.2), seen(10, 0))
    usual = Plausible(edit(text, body("return -a"), weight=0.9), seen(10, 0))
    long = Plausible(edit(text, body("return a.long_name"), weight=0.9), seen(10, 0))
    assert ranked([rare, long, usual]) == [usual, long, rare]


def test_the_reasons_say_what_is_known_and_what_is_not() -> None:
    """Observed changes, tests through the lines and rivals are in the words beside a proposal."""
    known = " / ".join(reasons(Plausible(edit(body("g()"), body("h()")), seen(40, 3, 12)), rivals=2))
    assert "3 of 40 observed calls" in known
    assert "12 other passing tests run" in known
    assert "2 other edits pass" in known
    unknown = " / ".join(reasons(Plausible(edit(body("g()"), body("h()")), seen(0, 0, 0)), rivals=0))
    assert "no other test calls" in unknown
    blind = Evidence(suite_passed=5, suite_failed=0, observed=False, tests_through=0, calls_observed=0, calls_changed=0)
    unseen = " / ".join(reasons(Plausible(edit(body("g()"), body("h()")), blind), rivals=0))
    assert "only the suite was run" in unseen
    assert "run the changed lines" not in unseen
    assert 0 < changed_share(seen(0, 0)) < 1
