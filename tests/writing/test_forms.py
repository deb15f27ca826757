"""A reply that leaves code out, brings a mask back or talks around the file is no change."""

from __future__ import annotations

import pytest

from servers.writing.edits import by_whole
from servers.writing.forms import changed
from servers.writing.locate import Mismatch
from servers.writing.replies import WholeReply

OLD = "# existing code\nKEY = '[masked: AWS]'\n\n\ndef area(a, b):\n    return a + b\n"
NEW = OLD.replace("+", "*")


def whole(text: str, path: str = "shop.py", old: str | None = OLD) -> str:
    return changed(WholeReply(summary="s", text=text), path, old).new


def test_a_mask_cannot_be_written() -> None:
    """It stands for a secret that the model never saw."""
    with pytest.raises(Mismatch, match="masked place cannot be written"):
        whole(NEW + "TOKEN = '[masked: GitHub]'\n")


def test_a_mask_the_file_has_itself_stays() -> None:
    """The line is in the old text."""
    assert whole(NEW) == NEW


@pytest.mark.parametrize(
    "comment",
    [
        "# rest of the file unchanged",
        "# (rest of the code remains the same)",
        "# [existing code]",
        "    # The rest of the function stays as it is.",
        "# existing imports",
        "# other methods remain unchanged",
        "# unchanged",
        "# ... existing code ...",
    ],
)
def test_a_comment_in_the_place_of_code_is_refused(comment: str) -> None:
    """With dots and without."""
    with pytest.raises(Mismatch, match="left out"):
        whole(f"{comment}\nx = 1\n", old="x = 0\n")


@pytest.mark.parametrize(
    "comment",
    ["# existing users keep their price", "# the rest is paid later", "# before the call", "# other tests need it"],
)
def test_a_comment_that_says_something_is_fine(comment: str) -> None:
    """The same words in a sentence about the code."""
    assert comment in whole(f"{comment}\nx = 1\n", old="x = 0\n")


def test_a_comment_the_file_has_is_fine_at_another_indentation() -> None:
    """It was not written to leave something out."""
    assert whole("if x:\n    # existing code\n    y = 1\n", old="# existing code\ny = 1\n")


def test_bare_dots_between_definitions_are_refused() -> None:
    """They are valid Python, and what stood there is gone."""
    with pytest.raises(Mismatch, match="bare"):
        whole("...\n\n\ndef area(a, b):\n    return a * b\n")
    assert whole("...\nx = 2\n", old="...\nx = 1\n")
    assert whole("def area(a, b): ...\n", "shop.pyi")


@pytest.mark.parametrize(
    "text",
    [
        "Here is the file:\n```yaml\na: 2\n```\n",
        "```yaml\na: 2\n```\nI changed a.\n",
        "Here it is:\n```yaml\na: 2\n",
        "```yaml\na: 2\n```\nor\n```yaml\na: 3\n```\n",
    ],
)
def test_prose_around_a_fence_is_not_the_file(text: str) -> None:
    """In a file that is not Python nothing else would find it."""
    with pytest.raises(Mismatch, match="code fence"):
        by_whole("a: 1\n", text, "it.yaml")


def test_a_fence_the_file_had_is_content() -> None:
    """Then it may be meant; around the whole text it cannot be told from the reply's own."""
    with pytest.raises(Mismatch, match="code fences itself"):
        by_whole("a\n```\nb\n```\n", "```\nb\n```\n", "notes.txt")
    assert by_whole("a\n```\nb\n```\n", "c\n```\nb\n```\n", "notes.txt") == "c\n```\nb\n```\n"
    assert by_whole("a: 1\n", "```yaml\na: 2\n```\n", "it.yaml") == "a: 2\n"
