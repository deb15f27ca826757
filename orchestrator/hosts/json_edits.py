"""One entry put into, or taken out of, an object of a JSON file with or without comments, as text. Pure.

Nothing else moves: comments, order, indentation, line ends and trailing commas stay as their owner wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from orchestrator.hosts.errors import EditError, malformed
from orchestrator.hosts.jsonc import Member, Node, comments, parse
from orchestrator.hosts.spans import Edit, apply, blanks_to_end, first_on_line, indent_of, line_start, newline_of


@dataclass(frozen=True, slots=True)
class Json:
    """The format of most hosts; `strict` where the host reads neither comments nor trailing commas."""

    strict: bool

    def read(self, text: str) -> dict[str, object]:
        """What the file says; nothing if it is empty.

        Raises:
            Malformed: it is not JSON, or not an object.
        """
        root = parse(text, strict=self.strict)
        return {} if root is None else cast("dict[str, object]", _object(text, root).data)

    def put(self, text: str, section: str, name: str, entry: Mapping[str, object]) -> str:
        """`text` with `entry` as `name` in `section`, in the place of one that is there.

        Raises:
            EditError: it has no one place.
        """
        root = parse(text, strict=self.strict)
        layout = _Layout(text, root)
        if root is None:
            return layout.document({section: {name: entry}})
        outer = _member(_object(text, root), section)
        if outer is None:
            return apply(text, layout.insertion(root, None, section, {name: entry}))
        inner = _member(_object(text, outer.value), name)
        if inner is None:
            return apply(text, layout.insertion(outer.value, outer, name, entry))
        return apply(text, [layout.replacement(inner, entry)])

    def take(self, text: str, section: str, name: str) -> str:
        """`text` without that entry.

        Raises:
            EditError: it has no one place.
        """
        root = parse(text, strict=self.strict)
        outer = None if root is None else _member(_object(text, root), section)
        inner = None if outer is None else _member(_object(text, outer.value), name)
        return text if outer is None or inner is None else apply(text, _removal(text, outer.value, inner))


class _Layout:
    """How the file's owner lays it out: in blocks or on one line, with which blanks."""

    def __init__(self, text: str, root: Node | None) -> None:
        self._text = text
        self._newline = newline_of(text)
        self._space = "" if '":' in text and '": ' not in text else " "
        self._unit = "  " if root is None else _step(text, root) or "  "

    def document(self, data: object) -> str:
        """The whole text, where there is none yet, or only comments."""
        lead = self._text if self._text.strip() else ""
        gap = self._newline if lead and not lead.endswith("\n") else ""
        return lead + gap + self._value(data, "", block=True) + self._newline

    def replacement(self, member: Member, data: object) -> Edit:
        """The edit that gives `member` another value."""
        block = first_on_line(self._text, member.start)
        return Edit(
            member.value.start, member.value.end, self._value(data, indent_of(self._text, member.start), block=block)
        )

    def insertion(self, into: Node, outer: Member | None, key: str, data: object) -> list[Edit]:
        """The edits that make `key` the last member of `into`, which is the value of `outer`."""
        return self._behind(into.members[-1], key, data) if into.members else self._first(into, outer, key, data)

    def _behind(self, last: Member, key: str, data: object) -> list[Edit]:
        block, indent = first_on_line(self._text, last.start), indent_of(self._text, last.start)
        member = self._member(key, data, indent, block=block)
        if last.comma is None:
            comma, at = [Edit(last.value.end, last.value.end, ",")], last.value.end
        else:
            comma, at, member = [], last.comma + 1, member + ","
        if not block:
            return [*comma, Edit(at, at, self._space + member)]
        for start, end in comments(self._text, at):  # on the same line: it is about the member before
            if "\n" in self._text[at:start]:
                break
            at = end
        return [*comma, Edit(at, at, self._newline + indent + member)]

    def _first(self, into: Node, outer: Member | None, key: str, data: object) -> list[Edit]:
        inside = self._text[into.start + 1 : into.end - 1]
        block = outer is None or first_on_line(self._text, outer.start) or "\n" in inside
        outside = indent_of(self._text, into.start)
        member = self._member(key, data, outside + self._unit, block=block)
        there = list(comments(self._text, into.start + 1))
        at = there[-1][1] if there else into.start + 1
        if not block:
            return [Edit(at, into.end - 1, (" " if there else "") + member)]
        member = self._newline + outside + self._unit + member
        if "\n" in self._text[at : into.end - 1]:
            return [Edit(at, at, member)]
        return [Edit(at, into.end - 1, member + self._newline + outside)]

    def _member(self, key: str, data: object, indent: str, *, block: bool) -> str:
        colon = ": " if block else ":" + self._space
        return json.dumps(key, ensure_ascii=False) + colon + self._value(data, indent, block=block)

    def _value(self, data: object, indent: str, *, block: bool) -> str:
        if not block:
            return json.dumps(data, ensure_ascii=False, separators=("," + self._space, ":" + self._space))
        return json.dumps(data, ensure_ascii=False, indent=self._unit).replace("\n", self._newline + indent)


def _step(text: str, root: Node) -> str:
    """What a level is indented by, as far as the document shows it."""
    first = root.members[0].start if root.members else root.start
    return indent_of(text, first).removeprefix(indent_of(text, root.start)) if first_on_line(text, first) else ""


def _object(text: str, node: Node) -> Node:
    if node.members is None:
        raise malformed(text, node.start, "an object in braces was expected")
    return node


def _member(node: Node, key: str) -> Member | None:
    found = [each for each in node.members or () if each.key == key]
    if len(found) > 1:
        raise EditError(f"`{key}` is there {len(found)} times, of which hosts take only the last")
    return found[0] if found else None


def _removal(text: str, owner: Node, member: Member) -> list[Edit]:
    members = list(owner.members or ())
    before, last = members[: members.index(member)], member is members[-1]
    end = member.value.end if member.comma is None else member.comma + 1
    inside = text[owner.start + 1 : member.start] + text[end : owner.end - 1]
    if len(members) == 1 and not inside.strip():
        return [Edit(owner.start + 1, owner.end - 1)]
    edits: list[Edit] = []
    if before and last and member.comma is None:
        edits.append(_comma(before[-1]))
    if member.comma is not None and text[member.value.end : member.comma].strip():  # a comment before its comma
        return [*edits, Edit(member.start, member.value.end), _comma(member)]
    if first_on_line(text, member.start) and (line_end := blanks_to_end(text, end)) is not None:
        above = line_start(text, member.start) - 1
        return [*edits, Edit(above - (text[above - 1] == "\r"), line_end)]
    if last:
        return [*edits, Edit(len(text[: member.start].rstrip(" \t")), end)]
    return [*edits, Edit(member.start, len(text) - len(text[end:].lstrip(" \t")))]


def _comma(member: Member) -> Edit:
    assert member.comma is not None
    return Edit(member.comma, member.comma + 1)
