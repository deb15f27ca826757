"""One table put into, or taken out of, a TOML file, as text. Pure.

`tomllib` says what a file means but not where; `tomlkit` takes the comment above the next table for the end of this
one, and so would move or lose it. So the text is split into its statements here, and whole statements are added
and taken.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from orchestrator.hosts.errors import Malformed
from orchestrator.hosts.spans import Edit, apply, line_below, line_start, newline_of

_TOKEN = re.compile(
    r"""
    (?P<text> \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\])*" | '[^']*' )
    | (?P<comment> \#[^\n]* ) | (?P<newline> \n ) | (?P<blank> [ \t\r]+ )
    | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<other> [^\s\#"'\[\]{}]+ )
    """,
    re.VERBOSE | re.DOTALL,
)

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A header or a key with its value: where it is, and the table it is in or opens."""

    start: int
    end: int
    header: bool
    table: tuple[str, ...]
    data: dict[str, object]
    """What it says by itself; for a header nothing."""


@dataclass(frozen=True, slots=True)
class Toml:
    """The format of Codex."""

    def read(self, text: str) -> dict[str, object]:
        """What the file says.

        Raises:
            Malformed: it is not TOML.
        """
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise Malformed(str(error)) from error

    def put(self, text: str, section: str, name: str, entry: Mapping[str, object]) -> str:
        """`text` with `entry` as the table `[section.name]`: in the place of one that is there, else at the end."""
        newline = newline_of(text)
        lines = [f"[{_key(section)}.{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in entry.items())]
        block = "".join(line + newline for line in lines)
        there = _entry(text, section, name)
        if there and there[0].header:
            at = line_start(text, there[0].start)
            return apply(text, [Edit(at, at, block), *_removal(text, there)])
        text = apply(text, _removal(text, there))
        if text.strip():
            text += newline * (2 - text.endswith("\n") - text.endswith(newline * 2))
        else:
            text = ""
        return text + block

    def take(self, text: str, section: str, name: str) -> str:
        """`text` without that table and those below it; a statement that says more than the entry goes as a whole."""
        there = _entry(text, section, name)
        return apply(text, [*_removal(text, there), *_gap(text, there)])


def _entry(text: str, section: str, name: str) -> list[_Statement]:
    return [each for each in _statements(text) if _is_of(each, (section, name))]


def _is_of(statement: _Statement, entry: tuple[str, ...]) -> bool:
    if statement.table[: len(entry)] == entry:
        return True
    if statement.header or entry[: len(statement.table)] != statement.table:
        return False
    data: object = statement.data
    for key in entry[len(statement.table) :]:
        members = _table(data)
        if key not in members:
            return False
        data = members[key]
    return True


def _table(data: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", data) if isinstance(data, dict) else {}


def _removal(text: str, statements: list[_Statement]) -> list[Edit]:
    return [Edit(line_start(text, each.start), line_below(text, each.end)) for each in statements]


def _gap(text: str, statements: list[_Statement]) -> list[Edit]:
    """The blank line above the table, where another one or the end of the text follows it."""
    if not statements:
        return []
    newline = newline_of(text)
    above, below = line_start(text, statements[0].start), line_below(text, statements[-1].end)
    if not text[:above].endswith(newline * 2) or (below < len(text) and not text.startswith(newline, below)):
        return []
    return [Edit(above - len(newline), above)]


def _statements(text: str) -> Iterator[_Statement]:
    """The statements of a valid document, in order."""
    table: tuple[str, ...] = ()
    start, end, depth = -1, -1, 0
    for token in [*_TOKEN.finditer(text), None]:
        kind = "newline" if token is None else token.lastgroup
        if kind == "newline" and depth == 0:
            if start >= 0:
                statement = _statement(text, start, end, table)
                table = statement.table
                yield statement
            start = -1
        elif token is not None and kind not in ("newline", "comment", "blank"):
            start, end = token.start() if start < 0 else start, token.end()
            depth += (kind == "open") - (kind == "close")


def _statement(text: str, start: int, end: int, table: tuple[str, ...]) -> _Statement:
    data = tomllib.loads(text[start:end])
    if not text.startswith("[", start):
        return _Statement(start, end, False, table, data)
    path: list[str] = []
    inner: object = data
    while inner:  # one key a level; a header in double brackets has a list of one in it
        key, inner = next(iter(_table(inner).items()))
        path.append(key)
        inner = cast("list[object]", inner)[0] if isinstance(inner, list) else inner
    return _Statement(start, end, True, tuple(path), {})


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(data: object) -> str:
    """A value in TOML; a basic string is written as in JSON, but for DEL."""
    if isinstance(data, Mapping):
        members = cast("Mapping[str, object]", data).items()
        return "{ " + ", ".join(f"{_value(key)} = {_value(value)}" for key, value in members) + " }"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(_value(each) for each in cast("list[object]", data)) + "]"
    return json.dumps(data, ensure_ascii=False).replace("\x7f", "\\u007f")
