"""Booleans: and/or, not, True/False, an operand too many or missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.template import Rewrite, Site, Template, shown, template


@template(0.95, ast.BoolOp)
def and_or(site: Site) -> Iterator[Rewrite]:
    """Exchange `and` and `or`, between two operands or throughout."""
    node = site.node
    assert isinstance(node, ast.BoolOp)
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    parts = [site.grouped(value) if isinstance(value, ast.BoolOp) else site.text(value) for value in node.values]
    text = f" {new} ".join(parts)
    if len(parts) == 2 and not isinstance(site.parent, ast.BoolOp):
        yield from site.operator(node.values[0], node.values[1], old, new)
    else:
        what = f"`{old}` becomes `{new}` in `{shown(site.text(node))}`"
        yield site.replace(node, f"({text})" if isinstance(site.parent, ast.BoolOp) else text, what)
        for index in range(len(parts) - 1):
            yield from site.operator(node.values[index], node.values[index + 1], old, new, 0.9)


@template(0.75, ast.BoolOp)
def dropped_part(site: Site) -> Iterator[Rewrite]:
    """Leave one part of an `and` or `or` out."""
    node = site.node
    assert isinstance(node, ast.BoolOp)
    word = " and " if isinstance(node.op, ast.And) else " or "
    for index, value in enumerate(node.values):
        rest = [site.grouped(part) if isinstance(part, ast.BoolOp) else site.text(part) for part in node.values]
        del rest[index]
        yield site.replace(node, f"({word.join(rest)})", f"`{shown(site.text(value))}` is left out of the condition")


def _negated(site: Site, node: ast.expr, weight: float = 1.0) -> Iterator[Rewrite]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield site.replace(node, site.text(node.operand), weight=weight)
    elif not isinstance(node, (ast.Constant, ast.Compare)):
        yield site.replace(node, f"not {site.grouped(node)}", weight=weight)
    elif isinstance(node, ast.Compare) and len(node.ops) > 1:
        yield site.replace(node, f"not ({site.text(node)})", weight=weight)


@template(0.85, ast.If, ast.While, ast.IfExp)
def negated_condition(site: Site) -> Iterator[Rewrite]:
    """Negate the condition, or drop its negation."""
    assert isinstance(site.node, (ast.If, ast.While, ast.IfExp))
    yield from _negated(site, site.node.test)


@template(0.75, ast.BoolOp, ast.comprehension)
def negated_part(site: Site) -> Iterator[Rewrite]:
    """Negate one part of a condition, or a comprehension's filter."""
    assert isinstance(site.node, (ast.BoolOp, ast.comprehension))
    parts = site.node.values if isinstance(site.node, ast.BoolOp) else site.node.ifs
    for value in parts:
        yield from _negated(site, value)


@template(0.6, ast.Return, ast.Assign, ast.Call)
def negated_value(site: Site) -> Iterator[Rewrite]:
    """Negate a truth value that is returned, assigned or passed on."""
    node = site.node
    assert isinstance(node, (ast.Return, ast.Assign, ast.Call))
    values: list[ast.expr | None] = list(node.args) if isinstance(node, ast.Call) else [node.value]
    for value in values:
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            yield from _negated(site, value)
        elif isinstance(value, (ast.Call, ast.Name)) and isinstance(node, ast.Return):
            yield from _negated(site, value, 0.6)


@template(0.9, ast.Constant)
def truth_constant(site: Site) -> Iterator[Rewrite]:
    """Exchange True and False, or None and False."""
    assert isinstance(site.node, ast.Constant)
    value = site.node.value
    if value is True or value is False:
        yield site.replace(site.node, str(not value))
    elif value is None and isinstance(site.parent, (ast.Return, ast.keyword)):
        for index, other in enumerate(("False", "True", "0", "[]", '""')):
            yield site.replace(site.node, other, weight=0.5 - 0.05 * index)


@template(0.55, ast.BoolOp)
def boolean_grouping(site: Site) -> Iterator[Rewrite]:
    """Group a mix of `and` and `or` the other way."""
    node = site.node
    assert isinstance(node, ast.BoolOp)
    outer, inner = (" and ", " or ") if isinstance(node.op, ast.And) else (" or ", " and ")
    texts = [site.text(value) for value in node.values]
    for index, value in enumerate(node.values):
        if not isinstance(value, ast.BoolOp) or isinstance(value.op, type(node.op)):
            continue
        parts = [site.text(part) for part in value.values]
        if index > 0:
            group = f"({texts[index - 1]}{outer}{parts[0]}){inner}{inner.join(parts[1:])}"
            yield site.replace(node, outer.join([*texts[: index - 1], f"({group})", *texts[index + 1 :]]))
        if index + 1 < len(texts):
            group = f"{inner.join(parts[:-1])}{inner}({parts[-1]}{outer}{texts[index + 1]})"
            yield site.replace(node, outer.join([*texts[:index], f"({group})", *texts[index + 2 :]]))


@template(0.7, ast.IfExp)
def exchanged_branches(site: Site) -> Iterator[Rewrite]:
    """Exchange the two values of a conditional expression."""
    assert isinstance(site.node, ast.IfExp)
    yield site.swap(site.node.body, site.node.orelse, "the two values of the conditional expression are exchanged")


TEMPLATES: tuple[Template, ...] = (
    and_or, dropped_part, negated_condition, negated_part, negated_value, truth_constant, boolean_grouping,
    exchanged_branches,
)  # fmt: skip
