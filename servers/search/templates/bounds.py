"""Off by one: constants, indices, ranges, slices."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.template import Rewrite, Site, Template, template


def _is_int(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


@template(0.95, ast.Constant)
def off_by_one_constant(site: Site) -> Iterator[Rewrite]:
    """Change a whole number by one."""
    node = site.node
    assert isinstance(node, ast.Constant)
    if not isinstance(node.value, int) or isinstance(node.value, bool):
        return
    weight = 1.0 if abs(node.value) < 20 else 0.6
    if isinstance(site.parent, ast.BinOp):
        weight = 0.7 if isinstance(site.parent.op, (ast.Add, ast.Sub)) else 0.65
    yield site.replace(node, str(node.value + 1), weight=weight)
    down = node.value - 1
    if not (isinstance(site.parent, ast.UnaryOp) and down <= 0):
        yield site.replace(node, str(down), weight=weight)


@template(0.85, ast.BinOp)
def dropped_one(site: Site) -> Iterator[Rewrite]:
    """Drop a `+ 1` or `- 1`."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        if _is_int(node.right):
            yield site.replace(node, site.grouped(node.left))
        if _is_int(node.left) and isinstance(node.op, ast.Add):
            yield site.replace(node, site.grouped(node.right))


def _shifted(site: Site, node: ast.expr, weight: float = 1.0) -> Iterator[Rewrite]:
    """The value one more and one less; constants, and what has one added already, have their own template."""
    if isinstance(node, (ast.Constant, ast.UnaryOp, ast.Slice, ast.Tuple, ast.Starred, ast.JoinedStr)):
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) and _is_int(node.right):
        return
    text = site.text(node) if isinstance(node, ast.BinOp) else site.grouped(node)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Div)):
        text = f"({text})"
    yield site.replace(node, f"{text} + 1", weight=weight)
    yield site.replace(node, f"{text} - 1", weight=weight)


@template(0.85, ast.Call)
def range_bounds(site: Site) -> Iterator[Rewrite]:
    """Start or stop a range one earlier or later, or at one."""
    node = site.node
    assert isinstance(node, ast.Call)
    if not (isinstance(node.func, ast.Name) and node.func.id in ("range", "enumerate") and not node.keywords):
        return
    if node.func.id == "enumerate":
        if len(node.args) == 1:
            yield site.replace(node, f"enumerate({site.text(node.args[0])}, 1)", weight=0.8)
        elif len(node.args) == 2:
            yield site.replace(node, f"enumerate({site.text(node.args[0])})", weight=0.8)
        return
    for argument in node.args[:2]:
        yield from _shifted(site, argument)
    if len(node.args) == 1:
        yield site.replace(node, f"range(1, {site.text(node.args[0])})")
        yield site.replace(node, f"range(1, {site.text(node.args[0])} + 1)", weight=0.8)
    elif len(node.args) == 2:
        start, stop = map(site.text, node.args)
        yield site.replace(node, f"range({stop})", weight=0.7)
        yield site.replace(node, f"range({start}, {stop}, -1)", weight=0.6)


@template(0.85, ast.Subscript)
def index_bounds(site: Site) -> Iterator[Rewrite]:
    """Take the element before or after."""
    assert isinstance(site.node, ast.Subscript)
    if not isinstance(site.node.slice, ast.Slice):
        yield from _shifted(site, site.node.slice)


@template(0.8, ast.Subscript)
def first_or_last(site: Site) -> Iterator[Rewrite]:
    """Take the first, the last or the second element instead."""
    node = site.node
    assert isinstance(node, ast.Subscript)
    index = node.slice
    text = site.text(index) if not isinstance(index, ast.Slice) else ""
    if text in ("0", "1", "-1", "2", "-2"):
        for other in ("-1", "0", "1"):
            if other != text:
                yield site.replace(index, other)


@template(0.8, ast.Slice)
def slice_bounds(site: Site) -> Iterator[Rewrite]:
    """Move, drop or add a bound of a slice."""
    node = site.node
    assert isinstance(node, ast.Slice)
    lower, upper = (site.text(part) if part else "" for part in (node.lower, node.upper))
    step = f":{site.text(node.step)}" if node.step else ""
    for bound in (node.lower, node.upper):
        if bound is not None:
            yield from _shifted(site, bound)
    if lower and not upper:
        yield site.replace(node, f":{lower}{step}", weight=0.9)
    if upper and not lower:
        yield site.replace(node, f"{upper}:{step}", weight=0.9)
    if lower and upper:
        yield site.replace(node, f"{lower}:{step}", weight=0.8)
        yield site.replace(node, f":{upper}{step}", weight=0.8)
    if not lower:
        yield site.replace(node, f"1:{upper}{step}", weight=0.7)
    if not upper:
        yield site.replace(node, f"{lower}:-1{step}", weight=0.6)
    if lower and node.lower and (_is_int(node.lower) or isinstance(node.lower, ast.UnaryOp)):
        yield site.replace(node, f":{upper}{step}", weight=0.6)
    if not step:
        yield site.replace(node, f"{lower}:{upper}:-1", weight=0.4)
    else:
        yield site.replace(node, f"{lower}:{upper}", weight=0.5)


@template(0.6, ast.Compare)
def shifted_side(site: Site) -> Iterator[Rewrite]:
    """Compare with one more or less."""
    assert isinstance(site.node, ast.Compare)
    if any(isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)) for operator in site.node.ops):
        for side in (site.node.left, *site.node.comparators):
            yield from _shifted(site, side)


@template(0.55, ast.Return, ast.Assign)
def shifted_value(site: Site) -> Iterator[Rewrite]:
    """Return or assign one more or less."""
    assert isinstance(site.node, (ast.Return, ast.Assign))
    value = site.node.value
    if isinstance(value, (ast.Name, ast.Attribute, ast.Call, ast.BinOp, ast.Subscript)):
        yield from _shifted(site, value)


@template(0.45, ast.Call)
def shifted_argument(site: Site) -> Iterator[Rewrite]:
    """Pass one more or less."""
    node = site.node
    assert isinstance(node, ast.Call)
    if not (isinstance(node.func, ast.Name) and node.func.id == "range"):
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)][:4]:
            if isinstance(argument, (ast.Name, ast.BinOp, ast.Attribute)):
                yield from _shifted(site, argument)


@template(0.35, ast.BinOp)
def shifted_operand(site: Site) -> Iterator[Rewrite]:
    """Calculate with one more or less."""
    assert isinstance(site.node, ast.BinOp)
    for operand in (site.node.left, site.node.right):
        if isinstance(operand, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
            yield site.replace(operand, f"({site.text(operand)} - 1)")
            yield site.replace(operand, f"({site.text(operand)} + 1)")


TEMPLATES: tuple[Template, ...] = (
    off_by_one_constant, dropped_one, range_bounds, index_bounds, first_or_last, slice_bounds, shifted_side,
    shifted_value, shifted_argument, shifted_operand,
)  # fmt: skip
