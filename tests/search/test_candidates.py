"""Candidates: what is edited changes, what is not stays byte for byte, and the order is always the same."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import diff
from servers.search.source import Source, Unreadable, parse
from servers.search.trial import as_patch
from tests.search.scripted import all_edits

STATEMENTS = (
    "if {a} < len({b}) and not {a}:\n{i}{a} += 1",
    "for {a} in range(0, len({b}) - 1):  # größer\n{i}{b}.append({a} * 2 + 1)",
    "while {a} is not None or {b} == 'ü':\n{i}{a} = {b}[1:]\n{i}break",
    "{a}, {b} = {b}[0], -{a}",
    "return max({a}, key=lambda x: x['é']) if {a} else f'{{{b} + 1}}é{{{a}!r}}'",
    "try:\n{i}{a} = int({b})\nexcept (KeyError, ValueError):\n{i}raise TypeError('ß', {a})",
    "with open({a}) as {b}: {a} = {b}.read().strip()",
    "{a} = [x for x in {b} if x > 0]; {b} = ({a}\n{i}# why\n{i}+ 1)",
    "'''dö\n  c'''\nx = {a} . lower ( )",
    "assert {a} @ {b} ** 2 % 3, \\\n{i}'no'",
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A function of a few statements, in many dresses."""
    indent = draw(st.sampled_from(["    ", "\t", " "]))
    names = draw(st.tuples(*[st.sampled_from(["value", "größe", "x", "名前", "items"])] * 2))
    chosen = draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4))
    body = "\n".join(each.replace("{i}", indent).format(a=names[0], b=names[1]) for each in chosen)
    lines = [indent + line for line in body.split("\n")]
    header = draw(st.sampled_from(["", "# ein Kommentar — é\n", "import os\n\x0c\n", "@deco('ä')\n"]))
    text = f"{header}def f({names[0]}, y=None, *, rest=[1]):\n" + "\n".join(lines) + draw(st.sampled_from(["", "\n"]))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from(["", "\ufeff"])) + text


@settings(max_examples=40, deadline=None)
@given(files())
def test_an_edit_leaves_a_file_that_parses_differs_and_keeps_its_line_ends(text: str) -> None:
    """Sound edits parse as a whole file, mean something else, and never mix line ends."""
    try:
        before = ast.dump(parse(text))
    except Unreadable:
        return
    edits = all_edits(text)
    sound = [edit for edit in edits[:: max(1, len(edits) // 60)] if edit.sound()]
    assert sound
    for edit in sound:
        assert ast.dump(parse(edit.result)) != before, edit
        if "\r\n" in text:
            assert edit.result.replace("\r\n", "").count("\n") == 0, edit
        elif "\n" in text:
            assert "\r" not in edit.result
        assert edit.result.startswith("\ufeff") == text.startswith("\ufeff")


@settings(max_examples=25, deadline=None)
@given(files())
def test_the_patch_of_an_edit_gives_exactly_its_result(text: str) -> None:
    """Through diff and apply, the file is the edit's result: nothing beside the edited span is touched."""
    try:
        edits = all_edits(text)
    except Unreadable:
        return
    for edit in edits[:: max(1, len(edits) // 40)]:
        (change,) = diff.parse(as_patch(edit).diff)
        result = diff.apply(change, text)
        assert result == edit.result
        assert result[: edit.start] == text[: edit.start]
        assert result[len(result) - (len(text) - edit.end) :] == text[edit.end :]


def test_no_text_is_tried_twice() -> None:
    """Different templates that lead to the same text give one candidate."""
    results = [edit.result for edit in all_edits("def f(a, b):\n    return a - 1 + b\n")]
    assert len(results) == len(set(results))


def test_the_order_does_not_depend_on_the_hash_seed() -> None:
    """Two processes with different hash seeds list the same candidates in the same order."""
    code = (
        "from tests.search.scripted import all_edits\n"
        "text = 'def f(a, b):\\n    total = {a: 1}\\n    if a.x and b.y in total:\\n        return min(a, b)\\n'\n"
        "for edit in all_edits(text):\n"
        "    print(edit.start, edit.end, repr(edit.text), edit.template)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, check=True, stdout=subprocess.PIPE
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].count(b"\n") > 50


BUGS = {
    "wrong operator": ("def f(a, b):\n    return a + b * 2\n", "def f(a, b):\n    return a - b * 2\n"),
    "boundary": ("def f(a, n):\n    return a < n\n", "def f(a, n):\n    return a <= n\n"),
    "off by one": ("def f(n):\n    return list(range(n))\n", "def f(n):\n    return list(range(n + 1))\n"),
    "wrong variable": ("def f(left, right):\n    return left.x\n", "def f(left, right):\n    return right.x\n"),
    "swapped arguments": ("def f(a, b):\n    return g(b, a)\n", "def f(a, b):\n    return g(a, b)\n"),
    "wrong constant": ("LIMIT = 10\n", "LIMIT = 100\n"),
    "wrong call": ("def f(a):\n    return any(a)\n", "def f(a):\n    return all(a)\n"),
    "bad default": ("def f(a, deep=True):\n    pass\n", "def f(a, deep=False):\n    pass\n"),
    "missing return": ("def f(a):\n    b = a + 1\n", "def f(a):\n    b = a + 1\n    return b\n"),
    "missing negation": ("def f(a):\n    if a.ok:\n        g()\n", "def f(a):\n    if not a.ok:\n        g()\n"),
    "and for or": ("def f(a, b):\n    return a and b\n", "def f(a, b):\n    return a or b\n"),
    "missing guard": (
        "def f(items):\n    return items[0]\n",
        "def f(items):\n    if not items:\n        return None\n    return items[0]\n",
    ),
    "missing condition": (
        "def f(a, b):\n    if a.pop() > 0:\n        return b\n",
        "def f(a, b):\n    if not a or a.pop() > 0:\n        return b\n",
    ),
    "return too early": (
        "def f(a):\n    for x in a:\n        g(x)\n        return a\n",
        "def f(a):\n    for x in a:\n        g(x)\n    return a\n",
    ),
    "shared default": (
        "def f(a=[]):\n    return a\n",
        "def f(a=None):\n    if a is None:\n        a = []\n    return a\n",
    ),
    "augmented": ("def f(a):\n    a.n = 1\n", "def f(a):\n    a.n += 1\n"),
}


@pytest.mark.parametrize("name", BUGS)
def test_the_usual_slips_are_among_the_candidates(name: str) -> None:
    """For each usual kind of slip, the right text is one of the candidates for the wrong one."""
    wrong, right = BUGS[name]
    wanted = ast.dump(parse(right))
    assert any(ast.dump(parse(edit.result)) == wanted for edit in all_edits(wrong) if edit.sound())


@pytest.mark.parametrize(
    ("definition", "call"),
    [
        ("def free(start, end):\n    return start < end\n", "free({})"),
        ("class Room:\n    def book(self, start, end): ...\n", "room.book({})"),
    ],
)
def test_arguments_that_have_their_parameters_names_are_hardly_exchanged(definition: str, call: str) -> None:
    """The names say that the order is right, so anything else is tried and proposed first."""

    def likelihood(arguments: str) -> float:
        text = f"{definition}\ndef ask(start, end, room):\n    return {call.format(arguments)}\n"
        return max(each.weight for each in all_edits(text) if each.what.startswith("arguments 1 and 2 of"))

    assert likelihood("start, end") < likelihood("end, start") / 5
    assert likelihood("room.start, room.end") < likelihood("room.end, room.start") / 5


@pytest.mark.parametrize("text", ["x = " + "(" * 5000, "x = 1\0", "def f(:\n", "-" * 200_000 + "1", "a" * 1_000_001])
def test_a_hostile_file_is_refused_not_fatal(text: str) -> None:
    """What the parser cannot take, or is too large, is `Unreadable`."""
    with pytest.raises(Unreadable):
        Source.of("it.py", text)


def test_columns_are_counted_in_characters_of_the_text() -> None:
    """`ast` counts UTF-8 bytes; the edit still lands on its operator."""
    edits = all_edits("def f(ä):\n    return 'öö' + ä < 2\n")
    assert "def f(ä):\n    return 'öö' + ä <= 2\n" in {edit.result for edit in edits}
