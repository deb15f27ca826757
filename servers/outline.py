"""Definitions in Python source, by the standard library's parser; nothing is imported or run."""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Defining = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_NO_STATEMENTS = (ast.expr, ast.arguments, ast.alias, ast.keyword, ast.expr_context)
_WARNINGS = threading.Lock()  # catch_warnings changes the process, and files are read in threads


@dataclass(frozen=True)
class Definition:
    """A class or function; lines are 1-based, `name` is qualified within the file."""

    line: int
    end_line: int
    kind: Literal["class", "function", "method"]
    name: str


@dataclass(frozen=True)
class Scope:
    """What a statement stands in: a definition's qualified name with a dot, or nothing for the module."""

    prefix: str = ""
    in_class: bool = False
    in_function: bool = False


def parse(source: str) -> ast.Module | None:
    """The tree of `source`; None when it is not valid Python (or too deep to parse)."""
    try:
        with _WARNINGS, warnings.catch_warnings():
            # The parser warns of the source's bad escapes, which are no concern of whoever lists definitions.
            warnings.simplefilter("ignore")
            return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def walk(module: ast.Module) -> Iterator[tuple[ast.AST, Scope]]:
    """Every statement (and what else is no expression) with its scope, in no particular order."""
    # A stack instead of recursion: a long elif chain is a deep tree.
    waiting: list[tuple[ast.AST, Scope]] = [(module, Scope())]
    while waiting:
        node, scope = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _NO_STATEMENTS):
                continue
            yield child, scope
            if isinstance(child, Defining):
                is_class = isinstance(child, ast.ClassDef)
                inner = Scope(f"{scope.prefix}{child.name}.", is_class, scope.in_function or not is_class)
                waiting.append((child, inner))
            else:
                waiting.append((child, scope))


def definition(node: Defining, scope: Scope) -> Definition:
    """`node` as it is listed."""
    kind = "class" if isinstance(node, ast.ClassDef) else "method" if scope.in_class else "function"
    return Definition(node.lineno, node.end_lineno or node.lineno, kind, scope.prefix + node.name)


def definitions(source: str) -> list[Definition] | None:
    """Every definition in line order; None when `source` is not valid Python (or too deep to parse)."""
    module = parse(source)
    if module is None:
        return None
    found = [definition(node, scope) for node, scope in walk(module) if isinstance(node, Defining)]
    return sorted(found, key=lambda each: (each.line, -each.end_line))
