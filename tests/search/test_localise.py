"""Localisation: Ochiai's figures, the traceback before coverage, and never a test or what is to be avoided."""

from __future__ import annotations

import ast
from math import isclose, sqrt

from hypothesis import given
from hypothesis import strategies as st

from servers.search.localise import is_below, is_test, ochiai, places, suspects
from servers.search.source import Source
from tests.search.scripted import TEST, spectrum


def test_ochiai_is_the_published_formula() -> None:
    """Two of three failing tests and two passing ones through a line: 2 / sqrt(3 * 4)."""
    assert isclose(ochiai(2, 2, 3), 2 / sqrt(12))
    assert ochiai(0, 5, 3) == 0.0
    assert ochiai(3, 0, 3) == 1.0


@given(st.integers(1, 50), st.integers(0, 50), st.integers(1, 50))
def test_ochiai_is_a_share_and_falls_with_passing_tests(through: int, passing: int, failed: int) -> None:
    """It lies in 0..1, and one more passing test never makes a line more suspicious."""
    through = min(through, failed)
    assert 0 < ochiai(through, passing, failed) <= 1
    assert ochiai(through, passing + 1, failed) <= ochiai(through, passing, failed)


def test_lines_of_the_failing_test_alone_come_first() -> None:
    """A line no passing test runs is more suspicious than one they all run."""
    found = suspects(spectrum({("a.py", 1): "f123", ("a.py", 2): "f", ("a.py", 3): "123"}), (TEST,), ())
    assert [suspect.line for suspect in found] == [2, 1]
    assert found[0].score > found[1].score


def test_the_innermost_frame_comes_before_coverage() -> None:
    """Where the failure has a traceback outside of the tests, its last line is looked at first."""
    coverage = spectrum({("a.py", 2): "f"}, frames=[("tests/test_it.py", 4), ("b.py", 7), ("b.py", 9)])
    found = suspects(coverage, (TEST,), ())
    assert [(suspect.path, suspect.line, suspect.why) for suspect in found] == [
        ("b.py", 9, "traceback"),
        ("b.py", 7, "traceback"),
        ("a.py", 2, "coverage"),
    ]


def test_tests_and_what_is_to_be_avoided_are_never_suspects() -> None:
    """Test files, conftest.py, the failing test's own file and avoided folders are left out."""
    lines = ["tests/test_it.py", "tests/helper.py", "pkg/conftest.py", "pkg/test_x.py", "pkg/x_test.py", "old/a.py"]
    coverage = spectrum({(path, 1): "f" for path in [*lines, "older/a.py"]}, frames=[("old/b.py", 1)])
    found = suspects(coverage, (TEST,), ("old/",))
    assert [suspect.path for suspect in found] == ["older/a.py"]
    assert is_test("odd/name.py", ("odd/name.py::check",))
    assert is_below("old", ("old/",))
    assert not is_below("older", ("old",))


def test_what_no_test_runs_counts_with_what_uses_it() -> None:
    """A constant of the module and a function's defaults are places, though no test runs their lines."""
    source = Source.of("a.py", "LIMIT = 3\nOTHER = 4\n\ndef f(n=1):\n    return n < LIMIT\n\ndef g():\n    pass\n")
    found = places(source, {5: 1.0})
    kinds = [(type(place.statement), place.statement.lineno) for place in found]
    assert kinds == [(ast.Assign, 1), (ast.FunctionDef, 4), (ast.Return, 5)]
    assert found[2].score > found[0].score
    assert found[2].score > found[1].score


def test_a_compound_statement_is_its_header() -> None:
    """A suspicious line in the body of an `if` does not make its condition suspicious."""
    source = Source.of("a.py", "def f(a):\n    if a:\n        g(a)\n    return a\n")
    found = places(source, {3: 0.5})
    assert [place.statement.lineno for place in found] == [1, 3]
