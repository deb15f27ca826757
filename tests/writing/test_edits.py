"""Blocks, diffs and whole files: the text that was meant, or a mismatch, and never another text."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from servers.writing.edits import Pair, by_blocks, by_diff, by_whole
from servers.writing.locate import Mismatch

OLD = "def area(width, height):\n    return width + height\n\n\ndef sides():\n    return 4\n"
NEW = OLD.replace("+", "*")

lines = st.lists(
    st.sampled_from(["a", "b = 1", "    c()", "\td", "", "  ", "x\x0c", "é\u2028z", "@@", "--- a", "+++ b"]),
    max_size=14,
)


def text(parts: list[str], end: str, final: bool) -> str:
    """Lines with their ends; a last line without an end is not empty, or there would be no such line."""
    assume(final or not parts or parts[-1])
    return end.join(parts) + (end if final and parts else "")


distinct = st.lists(st.text("abcxyz_(=", min_size=1, max_size=8), min_size=3, max_size=12, unique=True)


@given(distinct, st.data())
def test_sloppy_white_space_in_what_is_quoted_does_not_matter(parts: list[str], data: st.DataObject) -> None:
    """Trailing space and one shift of indentation are forgiven: the result is what was meant, to the byte."""
    old = "".join(f"    {part}{' ' * (number % 3)}\n" for number, part in enumerate(parts))
    at = data.draw(st.integers(0, len(parts) - 1))
    new_line = "    changed()"
    shift = data.draw(st.sampled_from(["", "  ", "    ", "        ", "\t    "]))
    tail = data.draw(st.sampled_from(["", " ", "  \t"]))
    quoted = [f"{shift}{part}{tail}" for part in parts[max(0, at - 1) : at + 2]]
    replaced = [f"{shift}changed()" if line.strip() == parts[at] else line for line in quoted]
    want = "".join(
        new_line + "\n" if number == at else line for number, line in enumerate(old.splitlines(keepends=True))
    )
    made = by_blocks(old, [Pair("\n".join(quoted), "\n".join(replaced))], "it.py")
    assert made == want
    hunk = ["@@ -1 +1 @@"]
    for line in quoted:
        mine = line.strip() == parts[at]
        hunk += [f"-{line}", f"+{shift}changed()"] if mine else [f" {line}"]
    assert by_diff(old, "\n".join(hunk), "it.py") == want


@given(lines, lines, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_whole_file_keeps_the_line_ends_it_had(a: list[str], b: list[str], end: str, final: bool) -> None:
    """A reply ends its lines with a bare newline; what is written ends them as the file does."""
    old, new = text(a, end, final), text(b, end, final)
    if len(a) > 1 and "".join(b).strip():
        assert by_whole(old, new.replace("\r\n", "\n"), "it.py") == new


def test_a_block_that_is_found_twice_is_refused() -> None:
    """Two places are no place; the message says which."""
    with pytest.raises(Mismatch, match=r"fits in 2 places of the file \(lines 1, 3;"):
        by_blocks("a\nb\na\n", [Pair("a", "c")], "it.py")


@pytest.mark.parametrize("other", ["a ", "  a", "\ta"])
def test_an_equal_place_does_not_count_before_a_similar_one(other: str) -> None:
    """A reply that is careless about space may mean the other one; a line more of context decides."""
    old = f"{other}\nb\na\n"
    with pytest.raises(Mismatch, match="fits in 2 places"):
        by_blocks(old, [Pair("a", "c")], "it.py")
    assert by_blocks(old, [Pair("b\na", "b\nc")], "it.py") == f"{other}\nb\nc\n"


def test_only_a_fence_of_the_reply_is_taken_off() -> None:
    """One the file has is content; one around what is to be put in alone might be either."""
    old = "x\n```\na\n```\na\n"
    assert by_blocks(old, [Pair("```\na\n```\n", "b\n")], "it.txt") == "x\nb\na\n"
    assert by_blocks("a\nb\n", [Pair("```\nb\n```", "```\n```")], "it.txt") == "a\n"
    with pytest.raises(Mismatch, match="replacement is in a code fence"):
        by_blocks(old, [Pair("x", "```\ny\n```")], "it.txt")


def test_a_block_that_is_not_found_tells_what_is_nearest() -> None:
    """The message has what was expected, and the file's own lines with their numbers."""
    with pytest.raises(Mismatch) as told:
        by_blocks(OLD, [Pair("    return widht + height\n", "    return 1\n")], "it.py")
    assert "block 1 is not in the file" in str(told.value)
    assert "| \treturn widht".replace("\t", "    ") in str(told.value)
    assert "are 2 to 3:\n|     return width + height" in str(told.value)


def test_two_shifts_of_indentation_are_not_one() -> None:
    """Lines that would have to be moved by different amounts are other code."""
    with pytest.raises(Mismatch, match="not in the file"):
        by_blocks(OLD, [Pair("  def area(width, height):\n    return width + height", "x")], "it.py")


def test_part_of_a_line_is_not_a_place() -> None:
    """`x = 1` is in `x = 10`, and replacing it there would make another number."""
    with pytest.raises(Mismatch, match="not in the file"):
        by_blocks("x = 10\n", [Pair("x = 1", "x = 2")], "it.py")


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "no block"),
        ([Pair("\n\n", "x")], "quotes no line"),
        (
            [Pair("def area(width, height):\n    return width + height", "x"), Pair("    return width + height", "y")],
            "overlap",
        ),
        ([Pair("      return width + height\n    return 4", "x")], "not in the file"),
    ],
)
def test_blocks_that_make_no_sense_are_refused(pairs: list[Pair], said: str) -> None:
    """Each with its own reason."""
    with pytest.raises(Mismatch, match=said):
        by_blocks(OLD, pairs, "it.py")


def test_a_new_line_that_cannot_be_moved_is_refused() -> None:
    """The quotation is four columns too deep; a new line that is not cannot be meant so."""
    with pytest.raises(Mismatch, match="indented 4 columns deeper"):
        by_blocks(OLD, [Pair("        return width + height", "        x = 1\n  return x")], "it.py")


FENCE = (
    "```diff\n--- a/shop.py\n+++ b/shop.py\n@@ -7,1 +7,1 @@\n"
    "-    return width + height\n+    return width * height\n```\n"
)


@pytest.mark.parametrize(
    "said",
    [
        FENCE,
        FENCE.replace("```diff\n", "").replace("```\n", ""),
        "-    return width + height  \n+    return width * height",
        "@@\n def area(width, height):\n-    return width + height\n+    return width * height\n\n\n def sides():\n",
        "diff --git a/shop.py b/shop.py\nindex 1..2 100644\n--- ./shop.py\t2026-01-01\n+++ shop.py\n@@ whatever @@\n"
        "-    return width + height\n+    return width * height\n\\ No newline at end of file\n",
    ],
)
def test_a_sloppy_diff_is_understood(said: str) -> None:
    """A fence around it, wrong numbers or none, prefixes or none, a blank context line without its space."""
    assert by_diff(OLD, said, "shop.py") == NEW


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("nothing to do", "begins with a space"),
        ("", "found none"),
        (" def area(width, height):\n     return width + height\n", "found none"),
        (FENCE.replace("b/shop.py", "b/setup.py"), "Only shop.py may be changed"),
        (FENCE.replace("b/shop.py", "/dev/null").replace("a/shop.py", "a/shop.py"), "deletes the file"),
        ("@@ -1 +1 @@\n+import os\n", "quotes no line"),
        (FENCE.replace("-    return width + height", "-    return width - height"), "not in the file"),
    ],
)
def test_a_diff_that_does_not_fit_is_refused(said: str, why: str) -> None:
    """It names another file, deletes this one, or its lines are not there."""
    with pytest.raises(Mismatch, match=why):
        by_diff(OLD, said, "shop.py")


def test_in_markdown_a_fence_is_content() -> None:
    """Only where a fence cannot be meant is it taken off."""
    fenced = "```\nx\n```\n"
    assert by_whole(None, fenced, "README.md") == fenced
    assert by_whole(None, "```python\nx = 1\n```", "it.py") == "x = 1\n"


def test_a_file_with_two_kinds_of_line_ends_keeps_each() -> None:
    """What is not changed stays as it is, to the byte."""
    assert by_whole("a\r\nb\nc\r\n", "a\nB\nc\n", "it.txt") == "a\r\nB\r\nc\r\n"
    assert by_blocks("a\r\nb\nc\n", [Pair("c", "C")], "it.txt") == "a\r\nb\nC\n"
