"""Statements: dropped, exchanged, moved into or out of a block, a return missing or too early."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.scope import nearest
from servers.search.source import FUNCTIONS
from servers.search.template import Rewrite, Site, Template, shown, template

_MOVABLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Break, ast.Continue)
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)


def _neighbour(site: Site, step: int) -> ast.stmt | None:
    assert isinstance(site.node, ast.stmt)
    block = site.source.block(site.node)
    index = block.index(site.node) + step
    return block[index] if 0 <= index < len(block) else None


def _lines(site: Site, node: ast.stmt) -> tuple[int, int] | None:
    """A statement's own lines, if nothing else stands on them."""
    return site.source.line_span(node)


@template(0.45, ast.Assign, ast.AugAssign, ast.Expr, ast.Break, ast.Continue)
def dropped_statement(site: Site) -> Iterator[Rewrite]:
    """Leave a statement out."""
    node = site.node
    assert isinstance(node, ast.stmt)
    span = _lines(site, node)
    if span is None or len(site.source.block(node)) < 2:
        return
    what = f"`{shown(site.text(node))}` is left out"
    line = (node.end_lineno or node.lineno) - 1
    if line + 1 < len(site.source.lines):
        yield Rewrite(span[0], site.source.lines[line + 1][0], "", what)
    else:
        yield Rewrite(*span, "", what)


@template(0.6, *_MOVABLE, ast.If)
def exchanged_statements(site: Site) -> Iterator[Rewrite]:
    """Exchange a statement with the next."""
    node, other = site.node, _neighbour(site, 1)
    assert isinstance(node, ast.stmt)
    if other is None or isinstance(other, (*FUNCTIONS, ast.ClassDef)):
        return
    if _lines(site, node) and _lines(site, other):
        yield site.swap(node, other, f"`{shown(site.text(node), 40)}` comes after `{shown(site.text(other), 40)}`")


@template(0.65, *_MOVABLE)
def moved_out(site: Site) -> Iterator[Rewrite]:
    """Move the last statement of a block behind the block."""
    node = site.node
    assert isinstance(node, ast.stmt)
    if not isinstance(site.parent, _BLOCKS) or _neighbour(site, 1) or node.lineno == site.parent.lineno:
        return
    inner, outer = site.source.indent(node.lineno), site.source.indent(site.parent.lineno)
    block, span = site.source.block(node), _lines(site, node)
    if span is None or node.lineno != node.end_lineno or len(block) < 2 or not inner.startswith(outer):
        return
    if node.end_lineno == site.parent.end_lineno:
        start = span[0]
        yield Rewrite(start, start + len(inner), outer, f"`{shown(site.text(node))}` moves behind its block")


@template(0.6, *_MOVABLE)
def moved_in(site: Site) -> Iterator[Rewrite]:
    """Move a statement into the block before it."""
    node, before = site.node, _neighbour(site, -1)
    assert isinstance(node, ast.stmt)
    span = _lines(site, node)
    if before is None or span is None or not isinstance(before, (*_BLOCKS, ast.Try)):
        return
    blocks = [getattr(before, name, []) for name in ("orelse", "finalbody")]
    bodies = [before.body, *(block for block in blocks if block)]
    last = bodies[-1][-1]
    if node.lineno != node.end_lineno or last.lineno == before.lineno:
        return
    inner = site.source.indent(last.lineno)
    indent = len(site.source.indent(node.lineno))
    yield Rewrite(span[0], span[0] + indent, inner, f"`{shown(site.text(node))}` moves into the block before it")


@template(0.6, ast.Break, ast.Continue, ast.Pass)
def loop_word(site: Site) -> Iterator[Rewrite]:
    """Exchange `break`, `continue` and `pass`."""
    old = site.text(site.node)
    looping = site.source.enclosing(site.node, (ast.For, ast.AsyncFor, ast.While)) is not None
    for word in ("continue", "break"):
        if word != old and looping:
            yield site.replace(site.node, word)
    if old != "pass" and site.function is not None:
        yield site.replace(site.node, "return", weight=0.6)


@template(0.75, ast.Expr)
def returned_expression(site: Site) -> Iterator[Rewrite]:
    """Return or keep a value that is computed and thrown away."""
    assert isinstance(site.node, ast.Expr)
    value = site.node.value
    if site.function is None or not isinstance(value, (ast.Call, ast.BinOp, ast.Name, ast.Compare, ast.Attribute)):
        return
    yield site.replace(site.node, f"return {site.text(value)}")
    owner = value.func.value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None
    if isinstance(owner, (ast.Name, ast.Attribute)):
        yield site.replace(site.node, f"{site.text(owner)} = {site.text(value)}", weight=0.8)
    if isinstance(value, ast.Call):
        for name in [arg.id for arg in value.args if isinstance(arg, ast.Name)][:2]:
            yield site.replace(site.node, f"{name} = {site.text(value)}", weight=0.7)
        yield site.replace(site.node, f"yield from {site.text(value)}", weight=0.4)


@template(0.7, ast.Assign, ast.AugAssign, ast.For, ast.While, ast.If, ast.With, ast.Expr)
def missing_return(site: Site) -> Iterator[Rewrite]:
    """Return something where a function or branch ends without."""
    node = site.node
    assert isinstance(node, ast.stmt)
    function = site.function
    if function is None or _neighbour(site, 1) is not None or _lines(site, node) is None:
        return
    assigned = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
    offered = assigned + [name for name in reversed(site.names.local(function)) if name not in ("self", "cls")]
    for index, name in enumerate(list(dict.fromkeys(offered))[:4]):
        yield site.insert_after(node, (f"return {name}",), f"`return {name}` is added", 1.0 - 0.15 * index)
    for index, text in enumerate(("True", "False", "self")):
        if text != "self" or "self" in offered or "self" in site.names.local(function):
            yield site.insert_after(node, (f"return {text}",), f"`return {text}` is added", 0.5 - 0.1 * index)


@template(0.5, ast.Return)
def returned_value(site: Site) -> Iterator[Rewrite]:
    """Return another variable, or do not return here at all."""
    node = site.node
    assert isinstance(node, ast.Return)
    function = site.function
    if function is None or _lines(site, node) is None:
        return
    if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
        for index, name in enumerate([*site.names.local(function)][:4]):
            if name not in ("self", "cls"):
                yield site.replace(node, f"return {name}", weight=1.0 - 0.1 * index)
    elif not isinstance(node.value, ast.Name):
        for name in nearest("result", site.names.local(function), 3):
            if name not in ("self", "cls"):
                yield site.replace(node.value, name, weight=0.5)
    if site.source.enclosing(node, (ast.For, ast.AsyncFor, ast.While)):
        yield site.replace(node, "continue", weight=0.7)
        yield site.replace(node, "break", weight=0.6)


@template(0.45, ast.Assign, ast.AugAssign, ast.Expr)
def repeated_step(site: Site) -> Iterator[Rewrite]:
    """Count or collect what the loop handles: a step its neighbours have."""
    node = site.node
    assert isinstance(node, ast.stmt)
    function = site.function
    if function is None or _lines(site, node) is None:
        return
    steps = [part for part in ast.walk(function) if isinstance(part, (ast.AugAssign, ast.Expr)) and part is not node]
    own = {site.text(part) for part in site.source.block(node)}
    texts = [site.text(part) for part in steps if part.lineno == part.end_lineno]
    texts = [text for text in dict.fromkeys(texts) if text not in own and not text.startswith(("'", '"'))]
    for text in texts[:4]:
        yield site.insert_after(node, (text,), f"`{shown(text)}` is done here, too")


TEMPLATES: tuple[Template, ...] = (
    dropped_statement, exchanged_statements, moved_out, moved_in, loop_word, returned_expression, missing_return,
    returned_value, repeated_step,
)  # fmt: skip
