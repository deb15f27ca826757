"""What an edit template is: from one place in a file to the texts that could stand there instead."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from servers.search.clues import Clues
from servers.search.scope import Names
from servers.search.source import FUNCTIONS, Source


@dataclass(frozen=True)
class Rewrite:
    """Replace `text[start:end]` of a file by `text`; `weight` scales the template's prior."""

    start: int
    end: int
    text: str
    what: str
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Site:
    """A node of a file, with what is known around it."""

    source: Source
    node: ast.AST
    names: Names
    clues: Clues

    @cached_property
    def parent(self) -> ast.AST | None:
        """The node around it."""
        return self.source.parents.get(self.node)

    @cached_property
    def function(self) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function it stands in (its own header and defaults included)."""
        if isinstance(self.node, FUNCTIONS):
            return self.node
        return self.source.enclosing(self.node, FUNCTIONS)

    def text(self, node: ast.AST) -> str:
        """The text of a node."""
        return self.source.segment(node)

    def replace(self, node: ast.AST, text: str, what: str = "", weight: float = 1.0) -> Rewrite:
        """Put `text` in the place of a node."""
        start, end = self.source.span(node)
        old = self.source.text[start:end]
        return Rewrite(start, end, text, what or f"`{shown(old)}` becomes `{shown(text)}`", weight)

    def operator(self, left: ast.AST, right: ast.AST, old: str, new: str, weight: float = 1.0) -> Iterator[Rewrite]:
        """Put operator `new` in the place of `old`, which stands between two operands."""
        start, end = self.source.span(left)[1], self.source.span(right)[0]
        found = find_operator(self.source.text, start, end, old)
        if found is not None:
            yield Rewrite(found[0], found[1], new, f"operator `{old}` becomes `{new}`", weight)

    def grouped(self, node: ast.expr) -> str:
        """A node's text, in parentheses unless it binds tighter than any operator."""
        text = self.text(node)
        return text if isinstance(node, TIGHT) else f"({text})"

    def swap(self, first: ast.AST, second: ast.AST, what: str, weight: float = 1.0) -> Rewrite:
        """Exchange the texts of two nodes, leaving what stands between them."""
        (start, left_end), (right_start, end) = self.source.span(first), self.source.span(second)
        between = self.source.text[left_end:right_start]
        return Rewrite(start, end, self.text(second) + between + self.text(first), what, weight)

    def insert_before(self, statement: ast.stmt, lines: tuple[str, ...], what: str, weight: float = 1.0) -> Rewrite:
        """Put whole lines before a statement, at its indentation."""
        start, _ = self.source.span(statement)
        indent = self.source.indent(self.source.line_at(start))
        glue = self.source.newline + indent
        return Rewrite(start, start, "".join(line + glue for line in lines), what, weight)

    def insert_after(self, statement: ast.stmt, lines: tuple[str, ...], what: str, weight: float = 1.0) -> Rewrite:
        """Put whole lines after a statement, at its indentation."""
        start, _ = self.source.span(statement)
        indent = self.source.indent(self.source.line_at(start))
        line = statement.end_lineno or statement.lineno
        _, end = self.source.lines[line - 1]
        return Rewrite(end, end, "".join(self.source.newline + indent + text for text in lines), what, weight)

    def step(self) -> str:
        """One level of indentation, as this file has it."""
        for statement in self.source.statements:
            parent = self.source.parents[statement]
            if isinstance(parent, ast.stmt) and parent.lineno != statement.lineno:
                inner, outer = self.source.indent(statement.lineno), self.source.indent(parent.lineno)
                if inner.startswith(outer) and len(inner) > len(outer):
                    return inner[len(outer) :]
        return "    "


TIGHT = (
    ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript,
    ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.JoinedStr,
)  # fmt: skip

Make = Callable[[Site], Iterator[Rewrite]]


@dataclass(frozen=True)
class Template:
    """A named kind of edit; `prior` says how often such an edit is the repair (0 to 1, relative)."""

    name: str
    prior: float
    kinds: tuple[type[ast.AST], ...]
    make: Make

    @property
    def idea(self) -> str:
        """One line on what it does."""
        return (self.make.__doc__ or self.name).split("\n", 1)[0]

    def rewrites(self, site: Site) -> Iterator[Rewrite]:
        """The edits at one place; none where it does not fit."""
        if isinstance(site.node, self.kinds):
            yield from self.make(site)


def template(prior: float, *kinds: type[ast.AST]) -> Callable[[Make], Template]:
    """Make a function over `kinds` of nodes a template of that name."""

    def named(make: Make) -> Template:
        return Template(make.__name__.replace("_", " "), prior, kinds, make)

    return named


def shown(text: str, width: int = 60) -> str:
    """A text on one line, shortened."""
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def find_operator(text: str, start: int, end: int, operator: str) -> tuple[int, int] | None:
    """Where an operator (one or two words or symbols) stands between two operands, comments skipped."""
    words = operator.split()
    at = start
    begin: int | None = None
    while at < end and words:
        char = text[at]
        if char == "#":
            while at < end and text[at] not in "\r\n":
                at += 1
        elif char in " \t\x0c\r\n\\()":
            at += 1
        elif text.startswith(words[0], at):
            begin = at if begin is None else begin
            at += len(words.pop(0))
        else:
            return None
    return (begin, at) if begin is not None and not words else None
