"""JSON documents in every layout people and programs write, for property tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from hypothesis import strategies as st

SECTION, NAME = "servers", "podium"
ENTRY = {"type": "stdio", "command": "/opt/p o/podium", "args": ["mcp", "--host", 'a"b\\c\n'], "env": {"A": "1"}}

_KEYS = st.text(max_size=5) | st.sampled_from([NAME, SECTION, "//", "/*", "a,b", "{}", '"'])
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
SERVERS: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    _KEYS.filter(lambda key: key != NAME), VALUES, max_size=3
)
_BLANKS = st.sampled_from(["", "", " ", "\n", "\n  ", "\t", "\r\n    ", "\n\n"])
_COMMENTS = st.sampled_from(['// c, } ] "\n', "//\r\n", "/* c */", "/* { \n // */", "/**/"])


@dataclass(frozen=True)
class Document:
    """A text, and what it says."""

    text: str
    data: dict[str, object]


@st.composite
def documents(draw: st.DrawFn, *, strict: bool, servers: st.SearchStrategy[dict[str, object]] = SERVERS) -> Document:
    """An object that may have the section, in any layout; with comments and trailing commas unless `strict`."""
    data = draw(st.dictionaries(_KEYS.filter(lambda key: key != SECTION), VALUES, max_size=3))
    if draw(st.booleans()):
        data[SECTION] = draw(servers)
    if draw(st.booleans()):
        indent = draw(st.sampled_from([None, 1, 2, 4, "\t"]))
        ends = draw(st.sampled_from(["\n", "\r\n"]))
        text = json.dumps(data, indent=indent, ensure_ascii=draw(st.booleans())) + draw(st.sampled_from(["", "\n"]))
        return Document(text.replace("\n", ends), data)
    gap = _BLANKS if strict else st.tuples(_BLANKS, _COMMENTS | _BLANKS, _BLANKS).map("".join)
    return Document(draw(gap) + _written(draw, data, gap, commas=not strict) + draw(gap), data)


def _written(draw: st.DrawFn, value: object, gap: st.SearchStrategy[str], *, commas: bool) -> str:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        items = [
            json.dumps(key) + draw(gap) + ":" + draw(gap) + _written(draw, each, gap, commas=commas) + draw(gap)
            for key, each in members
        ]
        opening, closing = "{}"
    elif isinstance(value, list):
        items = [_written(draw, each, gap, commas=commas) + draw(gap) for each in cast("list[object]", value)]
        opening, closing = "[]"
    else:
        return json.dumps(value)
    last = "," + draw(gap) if items and commas and draw(st.booleans()) else ""
    return opening + draw(gap) + ("," + draw(gap)).join(items) + last + closing
