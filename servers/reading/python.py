"""What a Python file says about itself: its docstring, its definitions with their signatures, its imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from servers.outline import Defining, Definition, Scope, definition, parse, walk

MAX_LINE = 120
"""Characters of a signature or a docstring's first line."""


@dataclass(frozen=True)
class Declared:
    """A definition; `first_line` is that of its first decorator, if it has one."""

    definition: Definition
    first_line: int
    local: bool
    """It stands inside a function."""
    signature: str
    doc: str


@dataclass(frozen=True)
class Module:
    """One parsed file; `declared` is in line order, an import is its level (of dots) and its dotted name."""

    doc: str
    declared: tuple[Declared, ...]
    imports: tuple[tuple[int, str], ...]


def module_of(source: str) -> Module | None:
    """What `source` declares; None when it is not valid Python."""
    tree = parse(source)
    if tree is None:
        return None
    declared, imports = list[Declared](), set[tuple[int, str]]()
    for node, scope in walk(tree):
        if isinstance(node, Defining):
            declared.append(_declared(node, scope))
        elif isinstance(node, ast.Import):
            imports.update((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            imports.update((node.level, start + alias.name) for alias in node.names)
    declared.sort(key=lambda each: (each.definition.line, -each.definition.end_line))
    return Module(_doc(tree), tuple(declared), tuple(sorted(imports)))


def plain(text: str, most: int = MAX_LINE) -> str:
    """`text` on one line, without what a terminal or a reader could mistake, at most so many characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _declared(node: Defining, scope: Scope) -> Declared:
    first = min((each.lineno for each in node.decorator_list), default=node.lineno)
    found = definition(node, scope)
    return Declared(found, first, scope.in_function, _signature(node, found.name), _doc(node))


def _signature(node: Defining, name: str) -> str:
    """`def Class.name(arguments) -> type  @decorators`."""
    try:
        if isinstance(node, ast.ClassDef):
            bases = ", ".join(ast.unparse(each) for each in (*node.bases, *node.keywords))
            line = f"class {name}({bases})" if bases else f"class {name}"
        else:
            word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            line = f"{word} {name}({ast.unparse(node.args)}){returns}"
        marks = " ".join(f"@{plain(ast.unparse(each), 60)}" for each in node.decorator_list)
    except (RecursionError, ValueError):
        # An expression too deep, or a number too long, to be written out.
        return plain(f"{'class' if isinstance(node, ast.ClassDef) else 'def'} {name}(…)")
    return f"{plain(line)}  {plain(marks)}" if marks else plain(line)


def _doc(node: ast.Module | Defining) -> str:
    """The first line of a docstring."""
    text = ast.get_docstring(node, clean=False) or ""
    return plain(text.strip().split("\n", 1)[0])
