"""Definitions in Python source, by the standard library's parser; nothing is imported or run."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Definition:
    """A class or function; lines are 1-based, `name` is qualified within the file."""

    line: int
    end_line: int
    kind: Literal["class", "function", "method"]
    name: str


def definitions(source: str) -> list[Definition] | None:
    """Every definition in line order; None when `source` is not valid Python (or too deep to parse)."""
    try:
        with warnings.catch_warnings():
            # The parser warns of the source's bad escapes, which are no concern of whoever lists definitions.
            warnings.simplefilter("ignore")
            module = ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = list[Definition]()
    # A stack instead of recursion: a long elif chain is a deep tree.
    waiting: list[tuple[ast.AST, str, bool]] = [(module, "", False)]
    while waiting:
        node, prefix, in_class = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                is_class = isinstance(child, ast.ClassDef)
                kind = "class" if is_class else "method" if in_class else "function"
                name = prefix + child.name
                found.append(Definition(child.lineno, child.end_lineno or child.lineno, kind, name))
                waiting.append((child, f"{name}.", is_class))
            elif not isinstance(child, ast.expr):
                waiting.append((child, prefix, in_class))
    return sorted(found, key=lambda each: (each.line, -each.end_line))
