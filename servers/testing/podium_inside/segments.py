"""Compiles only the top-level function or class a change lies in: a fraction of the work for a large module."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from types import CodeType

from .request import Splice

_LONE_RETURN = re.compile(r"\r(?!\n)|\f")


class Invalid(Exception):
    """The candidate is no Python."""


@dataclass(frozen=True)
class Segment:
    """A top-level definition: its lines (1-based, inclusive), decorators included, and where its text stands."""

    first: int
    last: int
    start: int
    end: int


class Source:
    """A module as it is, and what it becomes."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.code = compiled(text, path)
        self._flags = self.code.co_flags & _FUTURE
        self._segments = _segments(text)
        self._old: dict[int, CodeType] = {}

    def prepare(self, splice: Splice) -> None:
        """Compile the old side of the change, which all candidates that touch it share."""
        segment = self._around(splice)
        if segment is not None and segment.first not in self._old:
            self._old[segment.first] = self._compiled(segment, self.text[segment.start : segment.end])

    def sides(self, splice: Splice) -> tuple[CodeType, CodeType]:
        """The module's code before and after, or that of a module with just the definition that changes.

        Raises:
            Invalid: the new side does not compile.
        """
        segment = self._around(splice)
        if segment is None or segment.first not in self._old:
            return self.code, compiled(splice.apply(self.text), self.path)
        before, after = self.text[segment.start : splice.start], self.text[splice.end : segment.end]
        new = before + splice.text + after
        if new.rstrip("\n").endswith("\\") or (after and not after.endswith("\n")) or not new.endswith("\n"):
            return self.code, compiled(splice.apply(self.text), self.path)
        return self._old[segment.first], self._compiled(segment, new)

    def _around(self, splice: Splice) -> Segment | None:
        found = (each for each in self._segments if each.start <= splice.start and splice.end < each.end)
        return next(found, None)

    def _compiled(self, segment: Segment, text: str) -> CodeType:
        # Empty lines before it give every line its number in the file.
        return compiled("\n" * (segment.first - 1) + text, self.path, self._flags)


def compiled(text: str, path: str, flags: int = 0) -> CodeType:
    """A module's code.

    Raises:
        Invalid: it does not compile.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(text.encode("utf-8", "surrogateescape"), path, "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise Invalid(str(error)) from error


def _future() -> int:
    import __future__

    mask = 0
    for name in __future__.all_feature_names:
        mask |= getattr(__future__, name).compiler_flag
    return mask & ~0x10  # CO_NESTED, an old feature's flag, is set for other reasons, too


_FUTURE = _future()


def _segments(text: str) -> list[Segment]:
    """Top-level definitions that begin and end with a line; none where lines are not what they seem."""
    declared = "coding" in "".join(text.splitlines(keepends=True)[:2])
    if _LONE_RETURN.search(text) or declared or text.startswith("\ufeff"):
        return []
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found: list[Segment] = []
    body = ast.parse(text.encode("utf-8", "surrogateescape")).body
    for index, node in enumerate(body):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        last = node.end_lineno or first
        alone = index + 1 == len(body) or body[index + 1].lineno > last
        if alone and starts[last] <= len(text):
            found.append(Segment(first, last, starts[first - 1], starts[last]))
    return found
