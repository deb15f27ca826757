"""Clues: a failure's own words point at names and values."""

from __future__ import annotations

import pytest

from contracts.test_runner import TestCase
from servers.search.clues import Clues, Wrong, read
from tests.search.scripted import all_edits


def said(message: str, detail: str = "") -> Clues:
    return read([TestCase(id="t", outcome="failed", message=message, detail=detail)])


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("NameError: name 'totl' is not defined", Wrong("name", "totl")),
        ("AttributeError: 'Cart' object has no attribute 'itms'", Wrong("attribute", "itms", "Cart")),
        ("AttributeError: module 'shop' has no attribute 'pric'", Wrong("attribute", "pric")),
        ("KeyError: 'nmae'", Wrong("key", "nmae")),
        ("ImportError: cannot import name 'x' from 'y' (unknown location)", Wrong("import", "x")),
        ("TypeError: f() got an unexpected keyword argument 'sise'", Wrong("keyword", "sise")),
    ],
)
def test_a_complaint_names_what_is_wrong(message: str, wrong: Wrong) -> None:
    """The name a crash complains of is taken from its message."""
    assert said(message).wrong == (wrong,)


def test_values_of_an_assertion_are_kept_with_their_types() -> None:
    """Numbers and strings of the comparison, first mention first."""
    clues = said("AssertionError: assert 3 == 4.0", "def t():\n>   assert f(99)\nE   assert 3 == 4.0\nE   where 'a-b'")
    assert clues.values == (3, 4.0, "a-b")
    assert clues.exceptions == ("AssertionError",)


def test_an_exception_that_did_not_come_is_a_clue() -> None:
    """`DID NOT RAISE` names the exception that was wanted."""
    assert said("Failed: DID NOT RAISE <class 'KeyError'>").not_raised == ("KeyError",)


def test_a_misspelt_name_is_the_first_thing_tried() -> None:
    """The nearest existing name heads the candidates."""
    text = "def f(total, count):\n    return totl - count\n"
    first = all_edits(text, said("NameError: name 'totl' is not defined"))[0]
    assert first.result == text.replace("totl", "total")


def test_a_misspelt_attribute_is_the_first_thing_tried() -> None:
    """The nearest attribute of the file heads the candidates."""
    text = (
        "class A:\n    def g(self):\n        self.items = []\n\n    def f(self):\n        return len(self.itmes) - 1\n"
    )
    first = all_edits(text, said("AttributeError: 'A' object has no attribute 'itmes'"))[0]
    assert first.result == text.replace("itmes", "items")


def test_a_misspelt_method_of_a_builtin_type_is_found() -> None:
    """For a built-in type its own methods are offered."""
    text = "def f(a):\n    a.apend(1)\n"
    first = all_edits(text, said("AttributeError: 'list' object has no attribute 'apend'"))[0]
    assert first.result == text.replace("apend", "append")


def test_what_was_expected_is_offered_for_a_constant() -> None:
    """A separator is learnt from the two strings that should have been equal."""
    text = "def f(a):\n    return '_'.join(a)\n"
    edits = all_edits(text, said("AssertionError: assert 'a_b' == 'a+b'"))
    assert text.replace("_", "+") in {edit.result for edit in edits}
