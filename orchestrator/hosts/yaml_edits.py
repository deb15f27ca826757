"""One entry put into, or taken out of, a mapping of a YAML file, as text. Pure.

PyYAML says where each value stands, and the rest of the text is left alone: `ruamel.yaml` keeps comments too, but
prints the whole file anew, with an indentation, quotes and line breaks of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import yaml

from orchestrator.hosts.errors import EditError, Malformed
from orchestrator.hosts.spans import Edit, apply, first_on_line, line_below, line_start, newline_of

_Pair = tuple[yaml.Node, yaml.Node]
_STEP = 2
"""Columns of a level, where the file shows none."""


@dataclass(frozen=True, slots=True)
class Yaml:
    """The format of Goose."""

    def read(self, text: str) -> dict[str, object]:
        """What the file says; nothing if it is empty.

        Raises:
            Malformed: it is not YAML, not one document, or not a mapping.
        """
        try:
            data = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
            raise Malformed(f"{where}{error.problem or error.context}") from error
        except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is in no calendar
            raise Malformed(" ".join(str(error).split())) from error
        if data is not None and not isinstance(data, dict):
            raise Malformed("line 1, column 1: a mapping was expected")
        return cast("dict[str, object]", data or {})

    def put(self, text: str, section: str, name: str, entry: Mapping[str, object]) -> str:
        """`text` with `entry` as `name` in `section`, in the place of one that is there, else behind the last.

        Raises:
            EditError: the mapping is written in braces, or the entry has no one place.
        """
        root = _compose(text)
        if root is None or _is_nothing(root):
            return apply(text, [_below(text, len(text), {section: {name: entry}}, 0, _STEP)])
        step = _step(root)
        outer = _pair(root, section)
        if outer is None:
            return apply(text, [_below(text, _end(root), {section: {name: entry}}, _column(root), step)])
        key, servers = outer
        if _is_nothing(servers):
            start, end = servers.start_mark.index, servers.end_mark.index
            nothing = Edit(len(text[:start].rstrip(" \t")), end)
            return apply(text, [nothing, _below(text, end, {name: entry}, key.start_mark.column + step, step)])
        inner = _pair(servers, name)
        if inner is None:
            return apply(text, [_below(text, _end(servers), {name: entry}, _column(servers), step)])
        start, end = _lines(text, inner)
        return apply(text, [_below(text, start, {name: entry}, _column(servers), step), Edit(start, end)])

    def take(self, text: str, section: str, name: str) -> str:
        """`text` without that entry.

        Raises:
            EditError: the mapping is written in braces, or the entry has no one place.
        """
        root = _compose(text)
        outer = None if root is None else _pair(root, section)
        inner = None if outer is None else _pair(outer[1], name)
        if outer is None or inner is None:
            return text
        edits = [Edit(*_lines(text, inner))]
        if len(_pairs(outer[1])) == 1:  # with nothing below it the section would be null
            colon = text.index(":", outer[0].end_mark.index) + 1
            edits.append(Edit(colon, colon, " {}"))
        return apply(text, edits)


def _compose(text: str) -> yaml.Node | None:
    return cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]


def _is_nothing(node: yaml.Node) -> bool:
    """Null, or a mapping in braces with nothing in it."""
    return not node.value if isinstance(node, yaml.MappingNode) else node.tag == "tag:yaml.org,2002:null"


def _pairs(node: yaml.Node) -> list[_Pair]:
    """The members of a mapping that is written in lines."""
    if not isinstance(node, yaml.MappingNode):
        raise EditError(f"line {node.start_mark.line + 1}: a mapping was expected")
    if node.flow_style:
        raise EditError(f"line {node.start_mark.line + 1}: a mapping in braces, where one in lines was expected")
    return node.value


def _pair(node: yaml.Node, name: str) -> _Pair | None:
    found = [pair for pair in _pairs(node) if pair[0].value == name]
    if len(found) > 1:
        raise EditError(f"`{name}` is there {len(found)} times, of which hosts take only the last")
    return found[0] if found else None


def _column(mapping: yaml.Node) -> int:
    return _pairs(mapping)[0][0].start_mark.column  # its own mark is where its anchor or tag is


def _step(root: yaml.Node) -> int:
    """By how many columns the file's owner indents a level."""
    for key, value in _pairs(root):
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            return max(_STEP, _column(value) - key.start_mark.column)
    return _STEP


def _end(node: yaml.Node) -> int:
    """Where its last value ends; a mapping's own mark is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        return _end_of(node.value[-1]) if isinstance(node, yaml.MappingNode) else _end(node.value[-1])
    return node.end_mark.index


def _end_of(pair: _Pair) -> int:
    key, value = pair
    return max(key.end_mark.index, _end(value))  # an alias is the node it stands for, which is further up


def _next_line(text: str, offset: int) -> int:
    """The line below, unless `offset` is at the beginning of one, as it is behind a block of text."""
    return offset if text[:offset].endswith("\n") else line_below(text, offset)


def _lines(text: str, pair: _Pair) -> tuple[int, int]:
    """Where the lines of a member begin and end."""
    start = pair[0].start_mark.index
    if not first_on_line(text, start):
        raise EditError(f"line {pair[0].start_mark.line + 1}: a key at the beginning of its line was expected")
    return line_start(text, start), _next_line(text, _end_of(pair))


def _below(text: str, offset: int, data: Mapping[str, object], column: int, step: int) -> Edit:
    """The edit that writes `data` in lines of its own below the line that `offset` is on."""
    newline = newline_of(text)
    at = _next_line(text, offset) if offset else 0
    lead = newline if at and not text[:at].endswith("\n") else ""
    dumped = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, indent=step, width=2**20)
    return Edit(at, at, lead + "".join(" " * column + line + newline for line in dumped.splitlines()))
