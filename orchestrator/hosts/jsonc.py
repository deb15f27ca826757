"""A reader of JSON with comments that remembers where things are.

`json` reads no comments and keeps no offsets. The packages for JSON with comments either forget comments, or print
them anew in a layout of their own, or ask a Node process; a host's file has to keep its layout, so it is only read
here, and edited as text (`json_edits.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.hosts.errors import malformed

DEPTH = 200
"""Levels of nesting that are read; hosts' files have about five."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+"')
_ATOM = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")


@dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value` of an object; `comma` is the offset of the comma behind it, if there is one."""

    key: str
    start: int
    value: Node
    comma: int | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands; `members` is None for what is not an object."""

    start: int
    end: int
    data: object
    members: tuple[Member, ...] | None = None


def parse(text: str, *, strict: bool) -> Node | None:
    """The document in `text`; None if there is nothing but blanks and comments.

    `strict` takes plain JSON only: neither comments nor commas before a closing bracket.

    Raises:
        Malformed: it is not JSON; says line and column.
    """
    reader = _Reader(text, strict)
    at = reader.skip(0)
    if at == len(text):
        return None
    node = reader.value(at, 0)
    at = reader.skip(node.end)
    if at < len(text):
        raise malformed(text, at, "there is more behind the document's end")
    return node


def comments(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each comment between `at` and the next token."""
    while match := _COMMENT.match(text, _end_of(_BLANKS, text, at)):
        yield match.span()
        at = match.end()


class _Reader:
    def __init__(self, text: str, strict: bool) -> None:
        self.text = text
        self.strict = strict

    def skip(self, at: int) -> int:
        """The offset of the next token."""
        at = _end_of(_BLANKS, self.text, at)
        while match := _COMMENT.match(self.text, at):
            if self.strict:
                raise malformed(self.text, at, "a comment, which plain JSON does not have")
            at = _end_of(_BLANKS, self.text, match.end())
        return at

    def value(self, at: int, depth: int) -> Node:
        if depth > DEPTH:
            raise malformed(self.text, at, f"nested deeper than {DEPTH} levels")
        match self.text[at : at + 1]:
            case "{":
                return self.object(at, depth)
            case "[":
                return self.array(at, depth)
            case '"':
                data, end = self.string(at)
                return Node(at, end, data)
            case _:
                return self.atom(at)

    def object(self, start: int, depth: int) -> Node:
        members: list[Member] = []
        at = self.skip(start + 1)
        while not self.text.startswith("}", at):
            key_at = at
            key, at = self.string(at)
            at = self.skip(at)
            if not self.text.startswith(":", at):
                raise malformed(self.text, at, "a colon is missing")
            node = self.value(self.skip(at + 1), depth + 1)
            comma, at = self.separator(node.end, "}")
            members.append(Member(key, key_at, node, comma))
        return Node(start, at + 1, {each.key: each.value.data for each in members}, tuple(members))

    def array(self, start: int, depth: int) -> Node:
        items: list[object] = []
        at = self.skip(start + 1)
        while not self.text.startswith("]", at):
            node = self.value(at, depth + 1)
            items.append(node.data)
            _, at = self.separator(node.end, "]")
        return Node(start, at + 1, items)

    def separator(self, at: int, closing: str) -> tuple[int | None, int]:
        """Read past the comma behind a value: its offset, and where the next token is."""
        at = self.skip(at)
        if self.text.startswith(closing, at):
            return None, at
        if not self.text.startswith(",", at):
            raise malformed(self.text, at, f"a comma or `{closing}` is missing")
        after = self.skip(at + 1)
        if self.strict and self.text.startswith(closing, after):
            raise malformed(self.text, at, f"a comma before `{closing}`, which plain JSON does not have")
        return at, after

    def string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self.text, at)
        if found is None:
            raise malformed(self.text, at, "a string in double quotes was expected")
        try:
            return json.loads(found.group()), found.end()
        except ValueError:
            raise malformed(self.text, at, "a string with an escape that does not exist") from None

    def atom(self, at: int) -> Node:
        found = _ATOM.match(self.text, at)
        if found is None:
            raise malformed(self.text, at, "a value was expected")
        try:
            return Node(at, found.end(), json.loads(found.group()))
        except ValueError:
            raise malformed(self.text, at, "a number that is too long") from None


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
