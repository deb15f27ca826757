"""Definitions that are written like something: words weighed by rarity, and for code the shape of its tree.

The words of a definition are those of its text: identifiers, literals, comments and docstrings, taken apart
(`servers.reading.words`). Two texts are as alike as the cosine of their word counts (logarithmic) times rarity among
all definitions. When `like` is code that defines something, the best by words are weighed once more, a quarter by the
cosine of their trees' edges: which kind of node stands directly below which.
"""

from __future__ import annotations

import ast
import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from servers.outline import Defining, parse
from servers.reading.pages import Page
from servers.reading.python import Declared
from servers.reading.words import bag, rarity

SHAPE = 0.25
"""How much of the score is the shape, for code."""
RESCORED = 100
"""So many of the best by words are compared by shape; parsing all would take longer than it is worth."""
MAX_SHAPED_CHARS = 32_000
"""A longer text has no shape: what is asked about is never that long."""
MAX_ALL_CHARS = 32 << 20
"""Classes within classes are read several times over; what comes after so much, in path order, is left out."""


@dataclass(frozen=True)
class Written:
    """A definition with its text, decorators and all, and its words."""

    path: str
    declared: Declared
    text: str
    words: Counter[str]

    @property
    def first(self) -> int:
        """The first line of its text."""
        return self.declared.first_line

    @property
    def last(self) -> int:
        """The last line of its text."""
        return self.declared.definition.end_line

    def overlaps(self, other: Written) -> bool:
        """Whether one holds the other."""
        return self.path == other.path and self.first <= other.last and other.first <= self.last


def written(pages: Sequence[Page]) -> list[Written]:
    """Every definition of the pages that is not local to a function, up to `MAX_ALL_CHARS`."""
    found, left = list[Written](), MAX_ALL_CHARS
    for page in pages:
        lines = page.text.removeprefix("\ufeff").splitlines(keepends=True) if page.module else []
        for each in page.module.declared if page.module else ():
            if not each.local:
                text = "".join(lines[each.first_line - 1 : each.definition.end_line])
                left -= len(text)
                if left < 0:
                    return found
                found.append(Written(page.path, each, text, bag(text)))
    return found


def alike(like: str, among: Sequence[Written], limit: int) -> list[tuple[float, Written]]:
    """The most similar, scores from 0 (nothing in common, left out) to 1; of two that overlap the better one."""
    found_in = Counter[str]()
    for each in among:
        found_in.update(each.words.keys())
    asked = bag(like)
    rare = rarity(sorted({*asked, *found_in}), found_in, len(among))
    target = _scaled(asked, rare)
    scored = [(_cosine(target, _scaled(each.words, rare)), each) for each in among]
    best = sorted((pair for pair in scored if pair[0] > 0), key=_order)
    shape = _shape(like)
    if shape:
        best = best[: max(RESCORED, limit)]
        best = sorted(
            (((1 - SHAPE) * score + SHAPE * _cosine(shape, _shape(each.text)), each) for score, each in best),
            key=_order,
        )
    chosen = list[tuple[float, Written]]()
    for score, each in best:
        if len(chosen) == limit:
            break
        if not any(each.overlaps(other) for _, other in chosen):
            chosen.append((min(score, 1.0), each))
    return chosen


def _order(pair: tuple[float, Written]) -> tuple[float, str, int, int]:
    score, each = pair
    # Rounded, so that what is equal but for the order of additions is a tie.
    return (-round(score, 9), each.path, each.first, -each.last)


def _scaled(words: Mapping[str, int], rare: Mapping[str, float]) -> dict[str, float]:
    return {word: (1 + math.log(times)) * rare[word] for word, times in words.items()}


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    common = math.fsum(value * large[key] for key, value in small.items() if key in large)
    if not common:
        return 0.0
    lengths = math.fsum(value * value for value in one.values()) * math.fsum(value * value for value in other.values())
    return common / math.sqrt(lengths)


def _shape(text: str) -> dict[str, float]:
    """How often each kind of node stands directly below each; nothing for what defines nothing or is not valid."""
    tree = parse(textwrap.dedent(text)) if len(text) <= MAX_SHAPED_CHARS else None
    if tree is None or not any(isinstance(node, Defining) for node in tree.body):
        return {}
    edges = Counter[str]()
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr_context):
                edges[f"{type(node).__name__} {type(child).__name__}"] += 1
    return {edge: 1 + math.log(times) for edge, times in edges.items()}
