"""The entry is added to and taken from a YAML file as whole lines; layout and comments stay."""

from __future__ import annotations

from typing import cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.hosts.errors import EditError, Malformed
from orchestrator.hosts.formats import Entry, with_entry, without_entry
from orchestrator.hosts.yaml_edits import Yaml

YAML = Yaml()
ENTRY: Entry = {
    "enabled": True,
    "type": "stdio",
    "cmd": "/opt/p: o/podium",
    "args": ["mcp", "--host", "#x"],
    "envs": {},
}
OTHER: Entry = {"enabled": False, "cmd": "x"}
WORDS = st.text("ab:#- '\"{}", min_size=1, max_size=6)
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=5,
)
COMMENTS = st.sampled_from(["# why: {\n", "\n", "    # indented\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A mapping in lines, with comments anywhere between them."""
    data = draw(st.dictionaries(WORDS, VALUES, max_size=3))
    if draw(st.booleans()):
        data["extensions"] = draw(st.dictionaries(WORDS, VALUES, max_size=2) | st.none())
    dumped = yaml.safe_dump(data, indent=draw(st.sampled_from([2, 4])), width=2**20, sort_keys=False) if data else ""
    lines = [
        draw(st.just("") | COMMENTS) + line + draw(st.sampled_from(["", "  # mine"])) + "\n"
        for line in dumped.splitlines()
    ]
    text = "".join([*lines, draw(st.just("") | COMMENTS)])
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def read(text: str) -> dict[str, object]:
    return cast("dict[str, object]", yaml.safe_load(text) or {})


def put(text: str, entry: Entry) -> str:
    return with_entry(YAML, text, "extensions", "podium", entry).after


def take(text: str) -> str:
    return without_entry(YAML, text, "extensions", "podium").after


def lines_without(text: str, others: str) -> list[str]:
    """The lines of `text` after those of `others` are taken out in order, which all have to be there."""
    left: list[str] = []
    wanted = others.splitlines()
    for line in text.splitlines():
        if wanted and line == wanted[0]:
            wanted.pop(0)
        else:
            left.append(line)
    assert wanted == []
    return left


@given(texts())
def test_the_entry_is_added_in_lines_of_its_own(text: str) -> None:
    """Every line that was there is there, in order; only an empty mapping or null gives way to the entry."""
    before = read(text)
    extensions = cast("dict[str, object]", before.get("extensions") or {})
    new = put(text, ENTRY)
    assert read(new) == {**before, "extensions": {**extensions, "podium": ENTRY}}
    if extensions or "extensions" not in before:
        added = lines_without(new, text)
        assert read("\n".join(added)) in ({"podium": ENTRY}, {"extensions": {"podium": ENTRY}})


@given(texts())
def test_what_was_added_can_be_replaced_and_taken_away(text: str) -> None:
    new = put(text, OTHER)
    assert put(new, ENTRY) == put(text, ENTRY)
    before = read(text)
    assert read(take(new)) == {**before, "extensions": before.get("extensions") or {}}
    if before.get("extensions"):
        assert take(new) == text


@pytest.mark.parametrize(
    "text",
    [
        "base: &x {enabled: true}\nextensions:\n  a: *x\n",
        "extensions:\n  a: &x\n    enabled: true\n  b: *x\nz: *x\n",
        "extensions: &all # mine\n    a:\n        text: |\n            one\n\n            two\n\n\nz: >-\n  # more\n",
        "---\nextensions:\n  a: !!str 1\n",
        '"extensions":\n  a: {b: [1, 2], c: "}"} # in braces\n  # and a comment at the end\nz: 1',
        "extensions: {}",
        "extensions: ~ # none\nz: 1\n",
        "extensions:\n\n# only a comment\n",
        "# only a comment",
    ],
)
def test_all_of_yamls_ways_to_write_a_mapping_in_lines(text: str) -> None:
    """Anchors, aliases, blocks of text, quotes, tags, no newline at the end."""
    before = read(text)
    extensions = cast("dict[str, object]", before.get("extensions") or {})
    new = put(text, ENTRY)
    assert read(new) == {**before, "extensions": {**extensions, "podium": ENTRY}}
    assert read(take(new)) == {**before, "extensions": extensions}
    assert all(line.rstrip(" {}~") in new for line in text.splitlines() if "none" not in line)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extensions: {a: {enabled: true}}\n", "in braces"),
        ('{"extensions": {}}\n', "in braces"),
        ("extensions:\n  podium: 1\n  podium: 2\n", "there 2 times"),
        ("extensions:\n  ? podium\n  : 1\n", "beginning of its line"),
        ("extensions:\n  ? a\n  : 1\n", "without changing something else"),
        ("extensions:\n  podium: &x {enabled: true}\nother: *x\n", "without changing something else"),
    ],
)
def test_what_cannot_be_changed_safely_is_left_alone(text: str, said: str) -> None:
    with pytest.raises(EditError, match=said):
        put(text, ENTRY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n b: [\n", "line 2, column 3"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1"),
        ("- a\n", "a mapping was expected"),
        ("extensions:\n- a\n", "not a table"),
        ("a: \x01\n", "special characters"),
        ("a: 2001-13-77\n", "month"),
        ("a: !mine 1\n", "could not determine a constructor"),
        ("a: " + "[" * 5000 + "\n", "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        put(text, ENTRY)
