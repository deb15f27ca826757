"""Arithmetic: the operator, the sides, the grouping, the sign."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.template import Rewrite, Site, Template, template

_TEXT: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.MatMult: "@",
}  # fmt: skip
_LEVEL = {"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "@": 6, "**": 8}
_LIKELY = {
    "+": ("-",), "-": ("+",), "*": ("/", "+", "//"), "/": ("*", "//"), "//": ("/", "%"), "%": ("//", "/"), "**": ("*",),
    "&": ("|", "^"), "|": ("&", "^"), "^": ("|", "&", "**"), "<<": (">>",), ">>": ("<<",),
}  # fmt: skip
_ELSE = {
    "+": ("*", "/", "%", "//"), "-": ("*", "/", "//", "%"), "*": ("-", "**", "%"), "/": ("+", "-", "%"),
    "//": ("*", "-", "+"), "%": ("*", "-", "+"), "**": ("+", "//"), "<<": ("*", "+"), ">>": ("//",),
}  # fmt: skip


def _changed(site: Site, others: tuple[str, ...]) -> Iterator[Rewrite]:
    """Another operator, with parentheses where the grouping would change with it."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    old = _TEXT[type(node.op)]
    for index, new in enumerate(others):
        weight = 1.0 - 0.1 * index
        inner = [part for part in (node.left, node.right) if isinstance(part, ast.BinOp)]
        loose = any(_LEVEL[_TEXT[type(part.op)]] <= _LEVEL[new] for part in inner)
        tight = isinstance(site.parent, (ast.BinOp, ast.UnaryOp))
        if _LEVEL[new] == _LEVEL[old] or not (loose or tight):
            yield from site.operator(node.left, node.right, old, new, weight)
        else:
            left, right = site.grouped(node.left), site.grouped(node.right)
            text = f"{left} {new} {right}"
            what = f"operator `{old}` becomes `{new}`"
            yield site.replace(node, f"({text})" if tight else text, what, weight)


@template(0.95, ast.BinOp)
def arithmetic_operator(site: Site) -> Iterator[Rewrite]:
    """Use the operator it is most often confused with."""
    assert isinstance(site.node, ast.BinOp)
    yield from _changed(site, _LIKELY.get(_TEXT[type(site.node.op)], ()))


@template(0.55, ast.BinOp)
def other_operator(site: Site) -> Iterator[Rewrite]:
    """Use any other arithmetic operator."""
    assert isinstance(site.node, ast.BinOp)
    yield from _changed(site, _ELSE.get(_TEXT[type(site.node.op)], ()))


@template(0.9, ast.AugAssign)
def augmented_operator(site: Site) -> Iterator[Rewrite]:
    """Update with another operator."""
    node = site.node
    assert isinstance(node, ast.AugAssign)
    old = _TEXT[type(node.op)]
    others = _LIKELY.get(old, ()) + _ELSE.get(old, ())
    for index, new in enumerate(others):
        yield from site.operator(node.target, node.value, f"{old}=", f"{new}=", 1.0 - 0.1 * index)


@template(0.75, ast.AugAssign)
def plain_assignment(site: Site) -> Iterator[Rewrite]:
    """Assign, do not update."""
    node = site.node
    assert isinstance(node, ast.AugAssign)
    yield from site.operator(node.target, node.value, f"{_TEXT[type(node.op)]}=", "=")


@template(0.65, ast.Assign)
def update_assignment(site: Site) -> Iterator[Rewrite]:
    """Update, do not assign (inside a loop, or what is known already)."""
    node = site.node
    assert isinstance(node, ast.Assign)
    target = node.targets[0]
    if len(node.targets) > 1 or not isinstance(target, (ast.Name, ast.Attribute, ast.Subscript)):
        return
    if site.source.enclosing(node, (ast.For, ast.AsyncFor, ast.While)) or not isinstance(target, ast.Name):
        weight = 1.0
    else:
        weight = 0.5
    for index, new in enumerate(("+=", "-=", "*=", "|=")):
        yield from site.operator(target, node.value, "=", new, weight * (1.0 - 0.25 * index))


@template(0.7, ast.BinOp)
def operand_sides(site: Site) -> Iterator[Rewrite]:
    """Exchange the operands."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    what = f"the operands of `{_TEXT[type(node.op)]}` are exchanged"
    left, right = site.grouped(node.left), site.grouped(node.right)
    weight = 0.5 if isinstance(node.op, (ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)) else 1.0
    yield site.replace(node, f"{right} {_TEXT[type(node.op)]} {left}", what, weight)


@template(0.45, ast.BinOp)
def dropped_operand(site: Site) -> Iterator[Rewrite]:
    """Leave one operand out."""
    assert isinstance(site.node, ast.BinOp)
    yield site.replace(site.node, site.grouped(site.node.left))
    yield site.replace(site.node, site.grouped(site.node.right), weight=0.8)


@template(0.7, ast.BinOp)
def grouping(site: Site) -> Iterator[Rewrite]:
    """Group operands the other way."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    operator = _TEXT[type(node.op)]
    if isinstance(node.right, ast.BinOp):
        inner = node.right
        a, b, c = site.grouped(node.left), site.grouped(inner.left), site.grouped(inner.right)
        yield site.replace(node, f"({a} {operator} {b}) {_TEXT[type(inner.op)]} {c}")
    if isinstance(node.left, ast.BinOp):
        inner = node.left
        a, b, c = site.grouped(inner.left), site.grouped(inner.right), site.grouped(node.right)
        yield site.replace(node, f"{a} {_TEXT[type(inner.op)]} ({b} {operator} {c})")


@template(0.6, ast.UnaryOp)
def dropped_sign(site: Site) -> Iterator[Rewrite]:
    """Drop a minus or an inversion."""
    assert isinstance(site.node, ast.UnaryOp)
    if isinstance(site.node.op, (ast.USub, ast.Invert)):
        yield site.replace(site.node, site.text(site.node.operand))


@template(0.4, ast.Return, ast.Assign, ast.Call)
def added_sign(site: Site) -> Iterator[Rewrite]:
    """Take the negative of a value."""
    assert isinstance(site.node, (ast.Return, ast.Assign, ast.Call))
    for value in site.node.args[:4] if isinstance(site.node, ast.Call) else [site.node.value]:
        if isinstance(value, (ast.Name, ast.BinOp, ast.Attribute, ast.Subscript, ast.Call)):
            yield site.replace(value, f"-{site.grouped(value)}")


TEMPLATES: tuple[Template, ...] = (
    arithmetic_operator, other_operator, augmented_operator, plain_assignment, update_assignment, operand_sides,
    dropped_operand, grouping, dropped_sign, added_sign,
)  # fmt: skip
