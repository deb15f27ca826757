"""One definition as a reply gives it: its lines, its tree, and the same at another indentation."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from servers.search.source import FUNCTIONS, Unreadable, parse
from servers.writing.lines import said, unfenced
from servers.writing.locate import BLANK, Mismatch, quote

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)


@dataclass(frozen=True)
class Written:
    """A definition as a reply gives it: its qualified name, `@LINE` behind it where that is needed, and its text."""

    name: str
    text: str

    @property
    def bare(self) -> str:
        """The qualified name alone."""
        return self.name.partition("@")[0]


@dataclass(frozen=True)
class Text:
    """One definition's lines and tree; `indent` is that of its first line."""

    name: str
    lines: list[str]
    indent: str
    node: Definition

    def at(self, indent: str) -> list[str]:
        """The lines indented so that the first has `indent`.

        Raises:
            Mismatch: that would change more than docstrings.
        """
        if indent == self.indent:
            return self.lines
        moved = [self._moved(line, indent) for line in self.lines]
        if _shape(moved, indent) != _shape(self.lines, self.indent):
            raise Mismatch(
                f"{self.name}: moved to the indentation it has in the file, a string in it would change. Give it with "
                "the file's indentation."
            )
        return moved

    def _moved(self, line: str, indent: str) -> str:
        if not line.strip(BLANK):
            return line
        if not line.startswith(self.indent):
            raise Mismatch(f"{self.name}: {line!r} is indented less than the first line. Indent as the file does.")
        return indent + line[len(self.indent) :]


def _shape(lines: list[str], indent: str) -> str:
    """What the lines mean, docstrings left out: to indent those with their code is usual."""
    try:
        body = _body("\n".join(lines) + "\n", indent)
    except Unreadable:
        return ""
    for outer in body:
        for node in ast.walk(outer):
            if isinstance(node, DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
                node.body[0] = ast.Pass()
    return "\n".join(ast.dump(node) for node in body)


def one_definition(each: Written, path: str) -> tuple[Text, list[str]]:
    """The definition, and imports that were written before it.

    Raises:
        Mismatch: the text is not one whole definition of that name.
    """
    lines = said(unfenced(each.text, path))
    while lines and not lines[0].strip(BLANK):
        lines.pop(0)
    while lines and not lines[-1].strip(BLANK):
        lines.pop()
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip(BLANK))] if lines else ""
    try:
        body = _body("\n".join(lines) + "\n", indent)
    except Unreadable as error:
        raise Mismatch(f"{each.name}: the text is not valid Python ({error}):\n{quote(lines[:40])}") from error
    extra = [statement for statement in body if isinstance(statement, ast.Import | ast.ImportFrom)]
    found = [statement for statement in body if statement not in extra]
    name = each.bare.rsplit(".", 1)[-1]
    node = found[0] if len(found) == 1 else None
    if not isinstance(node, DEFINITIONS) or node.name != name or body[-1] is not node:
        held = ", ".join(getattr(one, "name", type(one).__name__) for one in found) or "nothing"
        raise Mismatch(f"{each.name}: one whole definition of `{name}` is expected, found {held}. Give one an entry.")
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - bool(indent)
    # Comments above it belong to it, unless imports stand before it.
    kept = lines[first - 1 :] if extra else lines
    return Text(each.name, kept, indent, node), [ast.unparse(one) for one in extra]


def _body(text: str, indent: str) -> list[ast.stmt]:
    """The statements of a text all of which is indented; their lines count from 2 where it is."""
    if not indent:
        return parse(text).body
    wrapped = parse(f"if 1:\n{text}").body
    outer = wrapped[0]
    if len(wrapped) != 1 or not isinstance(outer, ast.If):
        raise Unreadable("its first line is indented, and a later one is not")
    return outer.body
