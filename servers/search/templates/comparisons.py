"""Comparisons: the boundary, the direction, the kind, the sides."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from servers.search.template import Rewrite, Site, Template, template

_TEXT: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip
_BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_DIRECTION = {"<": (">", ">="), "<=": (">=", ">"), ">": ("<", "<="), ">=": ("<=", "<")}
_OPPOSITE = {"==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in", "not in": "in"}
_KIND = {
    "==": ("<=", ">=", "<", ">", "in"), "!=": ("<", ">", ">=", "<="), "<": ("!=", "=="), ">": ("!=", "=="),
    "<=": ("==",), ">=": ("==",), "is": ("==",), "is not": ("!=",), "in": ("==",), "not in": ("!=",),
}  # fmt: skip


def _pairs(site: Site) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    assert isinstance(site.node, ast.Compare)
    operands = [site.node.left, *site.node.comparators]
    for index, operator in enumerate(site.node.ops):
        yield operands[index], _TEXT[type(operator)], operands[index + 1]


@template(1.0, ast.Compare)
def boundary(site: Site) -> Iterator[Rewrite]:
    """Include or exclude the boundary of a comparison."""
    for left, operator, right in _pairs(site):
        if operator in _BOUNDARY:
            yield from site.operator(left, right, operator, _BOUNDARY[operator])


@template(0.9, ast.Compare)
def direction(site: Site) -> Iterator[Rewrite]:
    """Turn a comparison round."""
    for left, operator, right in _pairs(site):
        for index, other in enumerate(_DIRECTION.get(operator, ())):
            yield from site.operator(left, right, operator, other, 1.0 - 0.15 * index)


@template(0.9, ast.Compare)
def opposite(site: Site) -> Iterator[Rewrite]:
    """Negate an equality, identity or membership."""
    for left, operator, right in _pairs(site):
        if operator in _OPPOSITE:
            weight = 0.7 if operator.startswith("is") else 1.0
            yield from site.operator(left, right, operator, _OPPOSITE[operator], weight)


@template(0.55, ast.Compare)
def comparison_kind(site: Site) -> Iterator[Rewrite]:
    """Compare in another way."""
    for left, operator, right in _pairs(site):
        for index, other in enumerate(_KIND[operator]):
            yield from site.operator(left, right, operator, other, 1.0 - 0.08 * index)


@template(0.4, ast.Compare)
def none_test(site: Site) -> Iterator[Rewrite]:
    """Tell None from empty: `x` and `x is not None` are not the same."""
    assert isinstance(site.node, ast.Compare)
    for left, operator, right in _pairs(site):
        if len(site.node.ops) == 1 and isinstance(right, ast.Constant) and right.value is None:
            operand = site.grouped(left)
            yield site.replace(site.node, operand if operator in ("is not", "!=") else f"not {operand}")


@template(0.5, ast.If, ast.While, ast.IfExp, ast.Assert)
def truth_test(site: Site) -> Iterator[Rewrite]:
    """Ask for None, not for truth."""
    assert isinstance(site.node, (ast.If, ast.While, ast.IfExp, ast.Assert))
    test = site.node.test
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    operand = test.operand if isinstance(test, ast.UnaryOp) and negated else test
    if isinstance(operand, (ast.Name, ast.Attribute)):
        yield site.replace(test, f"{site.text(operand)} {'is' if negated else 'is not'} None")


@template(0.45, ast.Compare)
def comparison_sides(site: Site) -> Iterator[Rewrite]:
    """Exchange the two sides of a membership or ordering."""
    assert isinstance(site.node, ast.Compare)
    for left, operator, right in _pairs(site):
        if len(site.node.ops) == 1 and operator in ("in", "not in"):
            yield site.swap(left, right, f"the sides of `{operator}` are exchanged")


TEMPLATES: tuple[Template, ...] = (
    boundary, direction, opposite, comparison_kind, none_test, truth_test, comparison_sides,
)  # fmt: skip
