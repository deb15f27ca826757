"""One file's text with its syntax tree, and the way between the two.

`ast` counts lines from 1 and columns in UTF-8 bytes; edits are made in characters of the text as it
stands (CRLF, tabs, byte-order mark and all), so that what is not edited stays as it was.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

MAX_CHARS = 1_000_000
"""Files above this are not looked into."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
N = TypeVar("N", bound=ast.AST)

_WARNINGS = threading.Lock()  # catch_warnings changes the process, and searches run in threads
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


class Unreadable(Exception):
    """The text is not Python this interpreter can parse, or is too large to look into."""


def parse(text: str) -> ast.Module:
    """The tree of `text`; the text itself is never executed.

    Raises:
        Unreadable: on anything a hostile or broken file can make the parser do.
    """
    if len(text) > MAX_CHARS:
        raise Unreadable(f"{len(text)} characters; at most {MAX_CHARS} are looked into")
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.removeprefix("\ufeff"))
    except _UNREADABLE as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def compiles(text: str) -> bool:
    """Whether `text` compiles without an error and without a SyntaxWarning (such as `is` with a literal)."""
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("error")
            compile(text.removeprefix("\ufeff"), "<candidate>", "exec", dont_inherit=True)
    except (*_UNREADABLE, Warning):
        return False
    return True


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements a node has: body, `else`, `finally`; none for an expression."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield cast(list[ast.stmt], block)


def shallow(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement in the order of the tree, inner statements and annotations left out."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        yield node
        typing = [getattr(node, name, None) for name in ("annotation", "returns")]
        inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
        stack += [child for child in reversed(inner) if child not in typing]


@dataclass(frozen=True, eq=False)
class Source:
    """A file: its path in the tree, its text, its tree."""

    path: str
    text: str
    tree: ast.Module = field(repr=False)

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        """Parse `text`; raises `Unreadable`."""
        return cls(path, text, parse(text))

    @cached_property
    def lines(self) -> tuple[tuple[int, int], ...]:
        """Start and end offset of every line, its line end left out."""
        found: list[tuple[int, int]] = []
        start = 0
        for match in _LINE_END.finditer(self.text):
            found.append((start, match.start()))
            start = match.end()
        return (*found, (start, len(self.text)))

    @cached_property
    def newline(self) -> str:
        """The file's line end (that of its first line)."""
        match = _LINE_END.search(self.text)
        return match.group() if match else "\n"

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Every node's parent."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def functions(self) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
        """Every function and method it defines, by name."""
        found: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, FUNCTIONS):
                found.setdefault(node.name, []).append(node)
        return found

    @cached_property
    def statements(self) -> tuple[ast.stmt, ...]:
        """Every statement, in the order of the text."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.stmt)]
        return tuple(sorted(found, key=lambda node: (node.lineno, node.col_offset)))

    def offset(self, line: int, column: int) -> int:
        """The offset in characters of `ast`'s line and UTF-8 column."""
        start, end = self.lines[line - 1]
        if line == 1 and self.text.startswith("\ufeff"):
            start += 1
        content = self.text[start:end]
        if content.isascii():
            return start + column
        return start + len(content.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Start and end offset of a statement or expression; a definition starts at its first decorator."""
        assert isinstance(node, (ast.expr, ast.stmt, ast.arg, ast.keyword, ast.alias, ast.ExceptHandler))
        first = node
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.decorator_list:
            line = node.decorator_list[0].lineno
            start, _ = self.lines[line - 1]
            return start + len(self.indent(line)), self.offset(node.end_lineno or line, node.end_col_offset or 0)
        end = self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self.offset(first.lineno, first.col_offset), end

    def segment(self, node: ast.AST) -> str:
        """The text of a node, as it stands."""
        start, end = self.span(node)
        return self.text[start:end]

    def indent(self, line: int) -> str:
        """The white space a line begins with."""
        start, end = self.lines[line - 1]
        content = self.text[start:end]
        return content[: len(content) - len(content.lstrip(" \t\x0c"))]

    def line_span(self, node: ast.stmt) -> tuple[int, int] | None:
        """Start of the first and end of the last line of a statement; None when it shares them with another."""
        start, end = self.span(node)
        first = self.lines[self.line_at(start) - 1][0]
        last = self.lines[(node.end_lineno or node.lineno) - 1][1]
        after = self.text[end:last].strip()
        if self.text[first:start].strip(" \t\x0c\ufeff") or (after and not after.startswith("#")):
            return None
        return first, last

    def line_at(self, offset: int) -> int:
        """The line (from 1) an offset lies on."""
        low, high = 0, len(self.lines) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.lines[middle][0] <= offset:
                low = middle
            else:
                high = middle - 1
        return low + 1

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parent, grandparent and so on, up to the module."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def enclosing(self, node: ast.AST, kinds: tuple[type[N], ...]) -> N | None:
        """The nearest ancestor of one of `kinds`."""
        return next((outer for outer in self.ancestors(node) if isinstance(outer, kinds)), None)

    def block(self, node: ast.stmt) -> list[ast.stmt]:
        """The list of statements `node` stands in."""
        return next((block for block in blocks(self.parents[node]) if node in block), [node])

    def holds(self, node: ast.expr) -> bool:
        """Whether the recorded position of an expression is its text (not so in some f-strings before 3.12)."""
        try:
            found = ast.parse(f"({self.segment(node)})", mode="eval").body
        except (*_UNREADABLE, AssertionError, IndexError):
            return False
        return type(found) is type(node) and ast.unparse(found) == ast.unparse(node)
