"""Whatever edit is said in whatever form, however sloppily: out comes the very file that was meant, or a refusal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import assume, event, given
from hypothesis import strategies as st

from servers.writing.edits import Pair, by_blocks, by_diff, by_whole
from servers.writing.forms import changed
from servers.writing.locate import Mismatch
from servers.writing.replies import FunctionReply, FunctionText

BARE = ["a", "b = 1", "c()", "return x", "@@ -1", "--- a", "é\u2028z", "x  y", "```"]
INDENTS = ["", "  ", "    ", "        ", "\t"]
TAILS = ["", "", "", " ", "\t", "  "]


def joined(*parts: str) -> str:
    return "".join(parts)


old_lines = st.builds(joined, st.sampled_from(INDENTS), st.sampled_from(["", *BARE]), st.sampled_from(TAILS))
new_lines = st.builds(joined, st.sampled_from(INDENTS), st.sampled_from([*BARE, "new()", "# z"]))


@dataclass(frozen=True)
class Spot:
    """Lines `start` to `end` of a file become `new`; `before` and `after` lines around them are quoted along."""

    start: int
    end: int
    new: tuple[str, ...]
    before: int
    after: int


@st.composite
def spots(draw: st.DrawFn, count: int) -> list[Spot]:
    """One or two changes that do not overlap, nor do their quotations."""
    found, at = list[Spot](), 0
    for _ in range(draw(st.integers(1, 2))):
        if at >= count:
            break
        first, last = sorted(draw(st.lists(st.integers(at, count), min_size=2, max_size=2)))
        start, end = sorted(draw(st.lists(st.integers(first, last), min_size=2, max_size=2)))
        new = tuple(draw(st.lists(new_lines, max_size=3)))
        found.append(Spot(start, end, new, start - first, last - end))
        at = last
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], list[Spot], str, bool]:
    """A file's lines, the changes, its line end, and whether its last line has one."""
    lines = draw(st.lists(old_lines, min_size=1, max_size=10))
    final = draw(st.booleans())
    assume(final or lines[-1])
    return lines, draw(spots(len(lines))), draw(st.sampled_from(["\n", "\r\n"])), final


def meant(lines: list[str], changes: list[Spot]) -> list[str]:
    made = list(lines)
    for spot in reversed(changes):
        made[spot.start : spot.end] = spot.new
    return made


def text(lines: list[str], end: str, final: bool) -> str:
    return end.join(lines) + (end if final and lines else "")


class Sloppy:
    """Says lines with one shift of indentation for all, and other space at their ends."""

    def __init__(self, data: st.DataObject, lines: list[str]) -> None:
        self._data = data
        filled = [line for line in lines if line.strip()]
        narrower = [each for each in INDENTS if each and all(line.startswith(each) for line in filled)]
        self._add, self._remove = data.draw(
            st.sampled_from([*((each, "") for each in INDENTS), *(("", each) for each in narrower)])
        )

    def quoted(self, line: str) -> str:
        bare = line.rstrip(" \t")
        return (self.new(bare) if bare else "") + self._data.draw(st.sampled_from(TAILS))

    def new(self, line: str) -> str:
        return self._add + line.removeprefix(self._remove)


def spoken(data: st.DataObject, lines: list[str], spot: Spot) -> list[tuple[str, str]]:
    """One change as the lines of a hunk, said sloppily."""
    first, last = spot.start - spot.before, spot.end + spot.after
    sloppy = Sloppy(data, [*lines[first:last], *spot.new])
    hunk = [(" ", sloppy.quoted(line)) for line in lines[first : spot.start]]
    hunk += [("-", sloppy.quoted(line)) for line in lines[spot.start : spot.end]]
    hunk += [("+", sloppy.new(line)) for line in spot.new]
    return hunk + [(" ", sloppy.quoted(line)) for line in lines[spot.end : last]]


@given(cases(), st.data())
def test_blocks(case: tuple[list[str], list[Spot], str, bool], data: st.DataObject) -> None:
    """Search and replace, in any order, fenced or not.

    Where quotations differ in the space at the ends of lines, so may which of two such lines a reader takes for kept.
    """
    lines, changes, end, final = case
    pairs = list[Pair]()
    for spot in changes:
        hunk = spoken(data, lines, spot)
        sides = ["".join(f"{said}\n" for op, said in hunk if op != other) for other in "+-"]
        if data.draw(st.booleans()):
            sides = [f"~~~~\n{side}~~~~\n" for side in sides]
        pairs.append(Pair(*sides))
    refused_or(lambda: by_blocks(text(lines, end, final), data.draw(st.permutations(pairs)), "it.py"), case, unended)


@given(cases(), st.data())
def test_diffs(case: tuple[list[str], list[Spot], str, bool], data: st.DataObject) -> None:
    """With wrong numbers or none, with headers or none, fenced or not, blank lines without their space."""
    lines, changes, end, final = case
    said = data.draw(st.sampled_from(["", "--- a/it.py\n+++ b/it.py\n", "--- it.py\n+++ it.py\n"]))
    for spot in changes:
        said += data.draw(st.sampled_from(["@@\n", "@@ -{0},3 +{0},9 @@ def x\n"])).format(
            data.draw(st.integers(0, 99))
        )
        for op, line in spoken(data, lines, spot):
            said += ("" if op == " " and not line and data.draw(st.booleans()) else op) + line + "\n"
    if data.draw(st.booleans()):
        said = f"~~~~diff\n{said}~~~~\n"
    refused_or(lambda: by_diff(text(lines, end, final), said, "it.py"), case)


@given(cases(), st.sampled_from(["{}", "~~~~\n{}~~~~\n", "~~~~python\n{}~~~~"]), st.booleans())
def test_whole_files(case: tuple[list[str], list[Spot], str, bool], form: str, final: bool) -> None:
    """Fenced or not, with a last line end or none, in a file of either line end."""
    lines, changes, end, _ = case
    new = meant(lines, changes)
    said = text(new, "\n", final or "~" in form or not new[-1:] or not new[-1])
    refused_or(lambda: by_whole(text(lines, end, case[3]), form.format(said), "it.txt"), case)


def unended(line: str) -> str:
    return re.sub(r"[ \t]+(?=\r?$)", "", line)


def refused_or(
    make: Callable[[], str], case: tuple[list[str], list[Spot], str, bool], line: Callable[[str], str] = str
) -> None:
    """Either the reply is refused, or it makes the file that was meant; `line` is what counts of each line."""
    lines, changes, end, final = case
    assume(end in text(lines, end, final) and (final or meant(lines, changes)[-1:] not in ([], [""])))
    try:
        made = make()
    except Mismatch as error:
        event(f"refused: {str(error).split()[0]}")
        return
    event("made")
    want = text(meant(lines, changes), end, final)
    assert [line(each) for each in made.split("\n")] == [line(each) for each in want.split("\n")]


bodies = st.lists(st.sampled_from(["x = 1", 'y = """a\n  b"""', "if x:\n    pass", "# note", "pass"]), max_size=3)


@given(st.lists(bodies, min_size=1, max_size=4), bodies, st.sampled_from(["\n", "\r\n"]), st.data())
def test_functions(old: list[list[str]], new: list[str], end: str, data: st.DataObject) -> None:
    """By any of their names, at any indentation, fenced or not, with blank lines around."""
    names = data.draw(st.permutations(["f", "g", "A.f", "A.g", "B.f"]), label="names")[: len(old)]

    def function(name: str, body: list[str]) -> str:
        owner, _, bare = name.rpartition(".")
        inner = f"def {bare}({'self, ' if owner else ''}x):\n" + "".join(
            textwrap.indent(part, "    ") + "\n" for part in [*body, "return x"]
        )
        return textwrap.indent(inner, "    ") if owner else inner

    def file(bodies: list[list[str]]) -> str:
        parts = list[str]()
        for owner in ("", "A", "B"):
            mine = [
                function(name, body)
                for name, body in zip(names, bodies, strict=True)
                if name.rpartition(".")[0] == owner
            ]
            parts += [f"class {owner}:\n", *mine] if owner and mine else mine
        return "\n".join(parts).replace("\n", end)

    at = data.draw(st.integers(0, len(old) - 1))
    want = file([*old[:at], new, *old[at + 1 :]])
    assume(want != file(old))
    said = textwrap.indent(textwrap.dedent(function(names[at], new)), data.draw(st.sampled_from(INDENTS)))
    said = data.draw(st.sampled_from(["{}", "\n{}\n", "```python\n{}```"])).format(said)
    asked = data.draw(st.sampled_from([names[at], f"it.{names[at]}", names[at].rpartition(".")[2]]))
    reply = FunctionReply(summary="s", functions=(FunctionText(name=asked, text=said),))
    try:
        made = changed(reply, "it.py", file(old)).new
    except Mismatch:
        event("refused")
        return
    event("made")
    assert made == want
