"""Acceptance criteria in the ways people write them down."""

from __future__ import annotations

import pytest

from orchestrator.cli.criteria import criteria, criteria_in
from orchestrator.cli.trouble import Trouble
from tests.cli.typed import typed

WRITTEN = {
    "lines": ("It is fast.\nIt is safe.\n\n", ["It is fast.", "It is safe."]),
    "boxes": ("- [ ] It returns 404.\n* [x] It is fast.\n", ["It returns 404.", "It is fast."]),
    "numbers": ("1. one\n2) two\n  3. three\n(4) four\n", ["one", "two", "three", "four"]),
    "letters": ("a) one\n(b) two\niv) three\n", ["one", "two", "three"]),
    "other bullets": ("• one\n– two\n▪ three\n", ["one", "two", "three"]),
    "what is no bullet": (
        "-1 is 400\n3.5 is 4\n#42 is fixed\n**Bold** is\n",
        ["-1 is 400", "3.5 is 4", "#42 is fixed", "**Bold** is"],
    ),
    "a bullet alone": ("-\n- one\n-  \n", ["one"]),
    "wrapped": ("- long, and\n  wrapped\n  twice\n- two\n", ["long, and wrapped twice", "two"]),
    "wrapped without bullets": ("long, and\n  wrapped\ntwo\n", ["long, and wrapped", "two"]),
    "a paragraph more": ("1. one\n\n   It goes on.\n2. two\n", ["one It goes on.", "two"]),
    "a list within": ("- outer:\n  - a\n  - b, and\n    more\n- next\n", ["outer:\n- a\n- b, and more", "next"]),
    "a list within, by tabs": ("- outer:\n\t- a\n- next\n", ["outer:\n- a", "next"]),
    "an indented list": ("Of it:\n\n  - a\n  - b\n", ["Of it:", "a", "b"]),
    "headings": ("# Acceptance\n\n- a\n\n## More\n- b\n#\n", ["a", "b"]),
    "underlined headings": ("Acceptance\n==========\n\n- a\n\nMore\n----\n- b\n", ["a", "b"]),
    "rules": ("- a\n\n---\n\n- b\n***\n- c\n- - -\n", ["a", "b", "c"]),
    "a fence beside them": ("- a\n\n```\ncurl\n```\n- b\n", ["a", "b"]),
    "a fence within one": ("- It answers:\n  ```json\n  {}\n  ```\n- b\n", ["It answers:\n{}", "b"]),
    "a mark at the beginning": ("\ufeff- one\n", ["one"]),
}


@pytest.mark.parametrize(("text", "expected"), WRITTEN.values(), ids=WRITTEN.keys())
def test_criteria_are_what_people_mean_by_their_notes(text: str, expected: list[str]) -> None:
    """One a line or item, with all that belongs to it, and nothing that is only form."""
    assert [each.text for each in criteria_in(typed(text))] == expected


def test_they_are_numbered_in_their_order() -> None:
    assert [each.id for each in criteria_in(typed("- one\n- two\n"))] == ["c1", "c2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Acceptance\n\n", "file.md holds 0 acceptance criteria"),
        ("- a\n" * 51, "holds 51"),
        (f"- short\n- {'long ' * 500}\n", "has 2,499 characters: long"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "holds a table"),
        ("- a\0b\n", r"control character U\+0000"),
    ],
)
def test_what_would_lose_something_is_refused(text: str, words: str) -> None:
    """Nothing is cut, guessed at or dropped."""
    with pytest.raises(Trouble, match=words) as caught:
        criteria_in(typed(text))
    assert caught.value.code == 2


def test_standard_input_is_read_once() -> None:
    """What was read for the request is not there for the criteria, which is said."""
    with pytest.raises(Trouble, match="read once"):
        criteria_in(typed("", "<stdin>"))


def test_code_in_an_open_fence_ends_with_the_text() -> None:
    assert criteria("- a\n  ```\n  b") == ["a\nb"]
