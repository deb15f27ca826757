"""Constants: another number or string, from the failure's own words where it has some."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.scope import likeness, nearest
from servers.search.template import Rewrite, Site, Template, template

_NUMBERS = (0, 1, 2, -1, 10, 100)


@template(0.6, ast.Constant)
def other_number(site: Site) -> Iterator[Rewrite]:
    """Use another common number, a multiple, or one the failure names."""
    node = site.node
    assert isinstance(node, ast.Constant)
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or isinstance(site.parent, ast.UnaryOp):
        return
    offered: list[tuple[int | float, float]] = [(number, 0.8) for number in site.clues.numbers[:4]]
    offered += [(other, 0.8) for other in (value * 10, value * 2, -value) if other]
    for divisor in (10, 2):
        if isinstance(value, float) or value % divisor == 0:
            offered.append((value // divisor if isinstance(value, int) else value / divisor, 0.8))
    if isinstance(value, int):
        digits = str(value)
        if len(digits) > 1:
            offered += [(_transposed(digits, index), 0.7) for index in range(1, len(digits) - 1)]
            offered += [(value + 10 ** (len(digits) - 1), 0.5), (value - 10 ** (len(digits) - 1), 0.5)]
        offered += [(number, 0.7) for number in _NUMBERS if abs(number - value) > 1]
    elif value:
        offered += [(1.0, 0.6), (0.0, 0.6), (round(1 / value, 10), 0.4)]
    for other, weight in dict(offered[::-1]).items():
        if other != value and abs(other) < 1e15:
            yield site.replace(node, repr(other), weight=weight)


def _transposed(digits: str, index: int) -> int:
    return int(digits[:index] + digits[index + 1] + digits[index] + digits[index + 2 :])


@template(0.65, ast.Constant)
def other_string(site: Site) -> Iterator[Rewrite]:
    """Use a similar string of this file or of the failure, or change its case or blanks."""
    node = site.node
    assert isinstance(node, ast.Constant)
    text = node.value
    docstring = isinstance(site.parent, ast.Expr)
    if not isinstance(text, str) or docstring or len(text) > 60 or isinstance(site.parent, ast.JoinedStr):
        return
    start, end = site.source.span(node)
    if site.source.text[start:end][:1] not in "'\"" or site.source.text[start:end][:3] in ("'''", '"""'):
        return
    offered: list[tuple[str, float]] = [(other, 0.9) for other in nearest(text, site.clues.strings, 3, 0.5)]
    offered += [(other, 0.8) for other in _from_expected(text, site.clues.strings)]
    offered += [(other, 0.7) for other in nearest(text, site.names.strings, 3, 0.45)]
    if not text.strip():
        offered += [(other, 0.7) for other in ("", " ", ", ", "\n", "_", "-")]
    elif len(text) <= 3:
        offered += [(other, 0.6) for other in (text.strip(), text + " ", " " + text, "") if other != text]
        offered += [(other, 0.55) for other in (",", ", ", ".", "-", "_", ":", ";", "/") if len(text.strip()) == 1]
    offered += [(other, 0.6) for other in (text.lower(), text.upper(), text.strip(), text.rstrip())]
    best: dict[str, float] = {}
    for other, weight in offered:
        best.setdefault(other, weight)
    quote = site.source.text[start]
    for other, weight in best.items():
        if other != text:
            plain = other.isprintable() and quote not in other and "\\" not in other
            yield site.replace(node, f"{quote}{other}{quote}" if plain else repr(other), weight=weight)


def _from_expected(text: str, said: tuple[str, ...]) -> Iterator[str]:
    """What stands in one expected string where `text` stands in the one that came instead."""
    if not text.strip() and len(said) < 2:
        return
    for got, wanted in ((a, b) for a in said[:4] for b in said[:4] if a != b):
        at = got.find(text) if text else -1
        if at < 0 or not wanted.startswith(got[:at]):
            continue
        rest = got[at + len(text) :]
        if rest and wanted.endswith(rest) and len(wanted) >= at + len(rest):
            yield wanted[at : len(wanted) - len(rest)]
        elif likeness(got, wanted) > 0.5:
            yield wanted[at : at + len(text)]


@template(0.5, ast.Assign, ast.AnnAssign)
def initial_value(site: Site) -> Iterator[Rewrite]:
    """Start from another value: zero, one, infinity, the first element."""
    node = site.node
    assert isinstance(node, (ast.Assign, ast.AnnAssign))
    value = node.value
    if isinstance(value, ast.Constant) and type(value.value) is int and abs(value.value) <= 1:
        for index, text in enumerate(('float("-inf")', 'float("inf")', "None")):
            yield site.replace(value, text, weight=1.0 - 0.2 * index)
        function = site.function
        if function and function.args.args:
            for argument in [each.arg for each in function.args.args if each.arg != "self"][:2]:
                yield site.replace(value, f"{argument}[0]", weight=0.8)
    elif isinstance(value, (ast.List, ast.Dict, ast.Set)) and site.text(value) in ("[]", "{}", "set()"):
        for text in ("[]", "{}", "set()", "[0]", "[1]"):
            if text != site.text(value):
                yield site.replace(value, text, weight=0.5)


@template(0.6, ast.FunctionDef, ast.AsyncFunctionDef)
def shared_default(site: Site) -> Iterator[Rewrite]:
    """Make a mutable default value anew in every call."""
    node = site.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    named = [*node.args.posonlyargs, *node.args.args]
    pairs = list(zip(named[len(named) - len(node.args.defaults) :], node.args.defaults, strict=True))
    pairs += [(arg, value) for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1:
        first = node.body[1]
    if first.lineno == node.lineno:
        return
    for argument, value in pairs:
        if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.Call)):
            start, end = site.source.span(value)
            stop, _ = site.source.span(first)
            indent = site.source.indent(site.source.line_at(stop))
            newline = site.source.newline
            guard = f"if {argument.arg} is None:{newline}{indent}{site.step()}{argument.arg} = {site.text(value)}"
            text = "None" + site.source.text[end:stop] + guard + newline + indent
            yield Rewrite(start, stop, text, f"the default of `{argument.arg}` is made anew in every call")


TEMPLATES: tuple[Template, ...] = (other_number, other_string, initial_value, shared_default)
