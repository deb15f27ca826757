"""Counts the steps that a backtracking matcher takes: what a scan costs, without a clock.

It walks the tree that `re` itself parses a pattern into, for as much of the syntax as patterns of secrets use, and
finds what `re` finds (a test compares them).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from typing import Any

Node = tuple[Any, Any]
Parse = Callable[[str, int], Sequence[Node]]

_parse: Parse = import_module("re._parser").parse

_CATEGORIES = {"CATEGORY_SPACE": str.isspace, "CATEGORY_DIGIT": str.isdecimal}


def steps(pattern: re.Pattern[str], text: str) -> tuple[int, list[tuple[int, int]]]:
    """How many steps it takes to find every match of `pattern` in `text`, and where they are."""
    tree = list(_parse(pattern.pattern, pattern.flags))
    walk, at, found = _Walk(text, pattern.flags), 0, list[tuple[int, int]]()
    while at <= len(text):
        end = next(walk.sequence(tree, at), None)
        if end is not None:
            found.append((at, end))
        at = at + 1 if end is None else max(end, at + 1)
    return walk.steps, found


class _Walk:
    def __init__(self, text: str, flags: int) -> None:
        self.text = text
        self.flags = flags
        self.steps = 0

    def sequence(self, nodes: Sequence[Node], at: int, first: int = 0) -> Iterator[int]:
        """Every place at which `nodes`, from the `first` on, can end, in the order of trying."""
        if first == len(nodes):
            yield at
            return
        for end in self._node(nodes[first], at):
            yield from self.sequence(nodes, end, first + 1)

    def _node(self, node: Node, at: int) -> Iterator[int]:
        self.steps += 1
        match str(node[0]), node[1]:
            case "SUBPATTERN", (_, _, _, inner):
                yield from self.sequence(inner, at)
            case "ATOMIC_GROUP", inner:
                yield from islice(self.sequence(inner, at), 1)
            case "BRANCH", (_, branches):
                for each in branches:
                    yield from self.sequence(each, at)
            case ("ASSERT" | "ASSERT_NOT") as wanted, (direction, inner):
                begin = at if direction > 0 else at - inner.getwidth()[0]
                held = begin >= 0 and next(self.sequence(inner, begin), None) is not None
                if held == (wanted == "ASSERT"):
                    yield at
            case "MAX_REPEAT", (low, high, inner):
                yield from self._greedy(inner, low, high, at)
            case "MIN_REPEAT", (low, high, inner):
                yield from self._lazy(inner, low, high, at)
            case "POSSESSIVE_REPEAT", (low, high, inner):
                yield from islice(self._greedy(inner, low, high, at), 1)
            case name, of:
                if at < len(self.text) and self._fits(name, of, self.text[at]):
                    yield at + 1

    def _run(self, inner: Sequence[Node], low: int, high: int, at: int) -> list[int]:
        """Every place at which a repeat of what can end in one way only may end, nearest first."""
        ends = [at]
        while len(ends) <= high and (end := next(self.sequence(inner, ends[-1]), None)) is not None:
            ends.append(end)
        return ends[low:]

    def _greedy(self, inner: Sequence[Node], low: int, high: int, at: int) -> Iterator[int]:
        if _plain(inner):
            for end in reversed(self._run(inner, low, high, at)):
                self.steps += 1
                yield end
            return
        if high > 0:
            for end in self.sequence(inner, at):
                if end > at:
                    yield from self._greedy(inner, max(0, low - 1), high - 1, end)
        if low <= 0:
            yield at

    def _lazy(self, inner: Sequence[Node], low: int, high: int, at: int) -> Iterator[int]:
        assert _plain(inner), "a lazy repeat of something with more than one end"
        for _ in range(low):
            if (end := next(self.sequence(inner, at), None)) is None:
                return
            at = end
        for _ in range(high - low):
            yield at
            if (end := next(self.sequence(inner, at), None)) is None:
                return
            at = end
        yield at

    def _fits(self, name: str, of: Any, char: str) -> bool:
        match name:
            case "ANY":
                return char != "\n" or bool(self.flags & re.DOTALL)
            case "LITERAL":
                return self._same(char, chr(of))
            case "NOT_LITERAL":
                return not self._same(char, chr(of))
            case "IN":
                return self._in(of, char)
            case _:
                raise NotImplementedError(name)

    def _in(self, of: Sequence[Node], char: str) -> bool:
        negated = str(of[0][0]) == "NEGATE"
        return any(self._member(str(name), one, char) for name, one in of[negated:]) != negated

    def _member(self, name: str, of: Any, char: str) -> bool:
        match name:
            case "LITERAL":
                return self._same(char, chr(of))
            case "RANGE":
                cases = (char.lower(), char.upper()) if self.flags & re.IGNORECASE else (char,)
                return any(of[0] <= ord(each) <= of[1] for each in cases)
            case "CATEGORY" if str(of) == "CATEGORY_WORD":
                return char.isalnum() or char == "_"
            case "CATEGORY":
                return _CATEGORIES[str(of)](char)
            case _:
                raise NotImplementedError(name)

    def _same(self, one: str, other: str) -> bool:
        return one == other or (bool(self.flags & re.IGNORECASE) and one.lower() == other.lower())


def _plain(inner: Any) -> bool:
    """Whether it can end at one place only, wherever it begins."""
    low, high = inner.getwidth()
    return low == high
