"""Whole definitions put in the place of those of their name, or added, in a Python file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

from servers.search.source import Source, Unreadable, parse
from servers.writing.definition import DEFINITIONS, Definition, Text, Written, one_definition
from servers.writing.lines import said
from servers.writing.locate import Mismatch


@dataclass(frozen=True)
class _Splice:
    """Characters `start` to `end` become `text`."""

    start: int
    end: int
    text: str


def by_functions(old: str, written: Sequence[Written], imports: Sequence[str], path: str) -> str:
    """The text with each definition replaced or added, and imports added that are not there.

    Raises:
        Mismatch: a text is not one definition of its name, its place is not to be had or not certain, or the file
            is not Python.
    """
    if not written and not imports:
        raise Mismatch("There is no definition and no import. At least one is needed.")
    try:
        source = Source.of(path, old)
    except Unreadable as error:
        raise Mismatch(f"The file cannot be parsed ({error}), so no definition in it can be replaced.") from error
    names = [each.name for each in written]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Mismatch(f"{', '.join(twice)} is given more than once. Give each definition once.")
    file, lines, splices = _File(source), [*imports], list[_Splice]()
    for each in written:
        text, extra = one_definition(each, path)
        lines += extra
        splices.append(file.place(each, text))
    splices = [*file.imports(lines), *splices]
    return _spliced(old, splices)


def _spliced(old: str, splices: Sequence[_Splice]) -> str:
    # Equal places keep their order: imports before functions, and functions as the reply has them.
    ordered = sorted(splices, key=lambda each: (each.start, each.end))
    made, at = list[str](), 0
    for splice in ordered:
        if splice.start < at:
            raise Mismatch("One definition of the reply lies within another. Give the outer one only.")
        made += [old[at : splice.start], splice.text]
        at = splice.end
    return "".join([*made, old[at:]])


class _File:
    """A parsed file and the places in it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._named = list(_qualified(source.tree, ""))

    def place(self, written: Written, text: Text) -> _Splice:
        """Where a definition goes."""
        asked = written.name
        node = self._existing(asked, text.node)
        if node is None:
            return self._added(written.bare, text)
        source = self._source
        if node.decorator_list and not text.node.decorator_list:
            kept = ", ".join(f"@{ast.unparse(decorator)}" for decorator in node.decorator_list)
            raise Mismatch(f"{asked} is decorated with {kept} in the file, the new text is not. Give decorators too.")
        span = source.line_span(node)
        if span is None:
            raise Mismatch(f"{asked} shares a line with other code, so it cannot be replaced as a whole.")
        line = node.decorator_list[0].lineno if node.decorator_list else node.lineno
        return _Splice(*span, source.newline.join(text.at(source.indent(line))))

    def _existing(self, asked: str, new: Definition) -> Definition | None:
        name, _, line = asked.partition("@")
        stem = PurePosixPath(self._source.path).stem
        exact = [node for known, node in self._named if known == name]
        if not exact and name.startswith(f"{stem}."):
            exact = [node for known, node in self._named if known == name.removeprefix(f"{stem}.")]
        if "." not in name and _is_method(new) and not any(map(_is_method, exact)):
            exact += [node for known, node in self._named if known.endswith(f".{name}")]
        if not exact and "." not in name:
            self._not_nested(name)
        if line:
            exact = [node for node in exact if str(node.lineno) == line]
            if not exact:
                raise Mismatch(f"{name} is not defined at line {line} of the file.")
        if len(exact) > 1:
            at = ", ".join(f"`{known}@{node.lineno}`" for known, node in self._named if node in exact)
            raise Mismatch(f"{name} may be one of several definitions. Say which by one of these names: {at}.")
        return exact[0] if exact else None

    def _not_nested(self, name: str) -> None:
        nested = [f"`{known}`" for known, _ in self._named if known.endswith(f".{name}")]
        if nested:
            new = f"{PurePosixPath(self._source.path).stem}.{name}"
            raise Mismatch(
                f"{name} is in the file only as {', '.join(nested)}. Say that name, or `{new}` for a new definition "
                "of the module itself."
            )

    def _added(self, name: str, text: Text) -> _Splice:
        owner, _, _ = name.rpartition(".")
        owners = [node for known, node in self._named if known == owner]
        if not owner or (len(owners) == 0 and owner == PurePosixPath(self._source.path).stem):
            return self._at_end(text)
        if len(owners) != 1 or not isinstance(owners[0], ast.ClassDef):
            known = [each for each, _ in self._named]
            like = ", ".join(get_close_matches(name, known, n=3) or known[:10]) or "nothing"
            raise Mismatch(f"{name} is not in the file, and {owner} is no class there to add it to. It has: {like}.")
        return self._in_class(owners[0], text)

    def _in_class(self, owner: ast.ClassDef, text: Text) -> _Splice:
        source, last = self._source, owner.body[-1]
        span = source.line_span(last)
        if span is None or owner.body[0].lineno == owner.lineno:
            raise Mismatch(f"The body of {owner.name} shares a line with other code, so nothing can be added to it.")
        end = source.newline
        lines = text.at(source.indent(owner.body[0].lineno))
        return _Splice(span[1], span[1], end + end + end.join(lines))

    def _at_end(self, text: Text) -> _Splice:
        source, end = self._source, self._source.newline
        added = end.join(text.at(""))
        body = source.tree.body
        if not body:
            start = len(source.text)
            return _Splice(start, start, _line_break(source.text, end) + added + end)
        if _is_main(body[-1]) and (span := source.line_span(body[-1])) is not None:
            return _Splice(span[0], span[0], added + end * 3)
        start, ended = len(source.text), source.text.endswith(end)
        blank = source.text.endswith((end * 2, end * 3)) + source.text.endswith(end * 3)
        # A file whose last line has no end keeps it so.
        return _Splice(start, start, end * (2 - blank) + added + end if ended else end * 3 + added)

    def imports(self, asked: Sequence[str]) -> list[_Splice]:
        """Where imports go that the module does not have yet: behind its first ones."""
        known = {ast.dump(each) for each in self._source.tree.body}
        new: dict[str, bool] = {}
        for text in asked:
            for statement in _import_statements(text):
                if ast.dump(statement) not in known:
                    new[ast.unparse(statement)] = (
                        isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
                    )
        end = self._source.newline
        found = list[_Splice]()
        for future in (True, False):
            lines = [line for line, is_future in new.items() if is_future is future]
            if lines:
                at = self._import_place(future=future)
                before = _line_break(self._source.text[:at], end) if at else ""
                found.append(_Splice(at, at, before + "".join(line + end for line in lines)))
        return found

    def _import_place(self, *, future: bool) -> int:
        """Offset of the line behind the docstring and, unless `future`, the imports that follow it."""
        source, last = self._source, None
        for statement in source.tree.body:
            docstring = last is None and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            importing = isinstance(statement, ast.Import | ast.ImportFrom) and not future
            if not docstring and not importing:
                break
            last = statement
        if last is not None:
            line = source.line_at(source.span(last)[1] - 1)
        else:
            texts = [source.text[start:end] for start, end in source.lines]
            line = next((at for at, text in enumerate(texts) if not text.lstrip("\ufeff").startswith("#")), len(texts))
        place = source.lines[line][0] if line < len(source.lines) else len(source.text)
        return max(place, len(source.text) - len(source.text.removeprefix("\ufeff")))


def _line_break(before: str, end: str) -> str:
    return end if before.strip("\ufeff") and not before.endswith(("\n", "\r")) else ""


def _import_statements(text: str) -> list[ast.Import | ast.ImportFrom]:
    try:
        body = parse("\n".join(line.strip() for line in said(text)) + "\n").body
    except Unreadable as error:
        raise Mismatch(f"An import is not valid Python ({error}): {text}") from error
    found = [each for each in body if isinstance(each, ast.Import | ast.ImportFrom)]
    if len(found) != len(body):
        raise Mismatch(f"Only import statements are expected among the imports, found: {text}")
    return found


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"


def _is_method(node: Definition) -> bool:
    if isinstance(node, ast.ClassDef):
        return False
    first = [*node.args.posonlyargs, *node.args.args][:1]
    return bool(first) and first[0].arg in ("self", "cls")


def _qualified(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    """Every definition with its name in the file, in the order of the text."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            yield prefix + child.name, child
            yield from _qualified(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):
            yield from _qualified(child, prefix)
