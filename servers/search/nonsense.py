"""Which edits are no repair although the tests pass: behaviour deleted, a condition made constant, …

Each smell is counted in the top-level statement before and after; more of it is a reason to reject.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import cast

from servers.search.candidates import Edit
from servers.search.scope import likeness
from servers.search.source import FUNCTIONS, Unreadable, blocks, parse

Literal = str | int | float | bytes | complex

_LEAVES = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_OF_COLLECTIONS = ("len", "sum", "list", "tuple", "set", "sorted", "reversed", "any", "all", "min", "max", "iter")
_ORDINARY: tuple[Literal, ...] = (0, 1, 2, -1, "", " ")


def nonsense(edit: Edit, test_literals: frozenset[tuple[type, Literal]]) -> str | None:
    """Why an edit that passes the tests is no repair; None when it may be one."""
    try:
        before, after = (parse(text) for text in edit.around())
    except Unreadable:
        return "it cannot be read"
    if len(_kept(after)) < len(_kept(before)):
        return "it deletes a raise or an assert"
    more = Counter(_smells(after)) - Counter(_smells(before))
    if more:
        return f"it leaves {next(iter(more))}"
    returns = Counter(_returns(after)), Counter(_returns(before))
    if sum(returns[0].values()) == sum(returns[1].values()) and returns[0]["constant"] > returns[1]["constant"]:
        return "it returns a constant instead of a computed value"
    if special := _special_case(before, after, test_literals):
        return f"it asks for {special!r}, a value of the failing test itself"
    return None


def literals(trees: Iterable[ast.AST]) -> frozenset[tuple[type, Literal]]:
    """The literals in some trees (of failing tests), with their types."""
    return frozenset(pair for tree in trees for pair in _constants(tree))


def _constants(tree: ast.AST) -> Iterator[tuple[type, Literal]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (str, int, float):
            yield type(node.value), cast(str | int | float, node.value)


def _kept(tree: ast.AST) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.Raise, ast.Assert))]


def _returns(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Return):
            yield "constant" if node.value is None or _constant(node.value) else "value"


def _smells(tree: ast.AST) -> Iterator[str]:
    integers = _integers(tree)
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS) and _empty(node):
            yield "a function without a body"
        if any(isinstance(part, _LEAVES) for block in blocks(node) for part in block[:-1]):
            yield "statements that are never reached"
        tests = node.ifs if isinstance(node, ast.comprehension) else [getattr(node, "test", None)]
        if any(isinstance(test, ast.expr) and _constant(test) for test in tests):
            yield "a condition that is constant"
        if isinstance(node, ast.BoolOp):
            yield from _constant_parts(node)
        elif isinstance(node, ast.Compare):
            sides = [ast.dump(side) for side in (node.left, *node.comparators)]
            if any(left == right for left, right in pairwise(sides)):
                yield "a value compared with itself"
        elif isinstance(node, ast.Assign):
            if any(ast.unparse(target) == ast.unparse(node.value) for target in node.targets):
                yield "a variable assigned to itself"
        elif isinstance(node, ast.BinOp):
            yield from _idle_operation(node)
        elif isinstance(node, ast.Call) and _wrong_type(node, integers):
            yield f"`{ast.unparse(node.func)}` of a number"


def _idle_operation(node: ast.BinOp) -> Iterator[str]:
    """Arithmetic that does nothing: `x - x`, `x + 0`, `x * 1`."""
    cancels = isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod))
    if cancels and ast.dump(node.left) == ast.dump(node.right):
        yield "a value combined with itself"
    right = node.right.value if isinstance(node.right, ast.Constant) else None
    idle = right == 0 if isinstance(node.op, (ast.Add, ast.Sub)) else right == 1
    if (
        idle
        and type(right) is int
        and not isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift))
    ):
        yield "an operation that changes nothing"


def _wrong_type(node: ast.Call, integers: frozenset[str]) -> bool:
    """Whether a function of collections is given a number."""
    if not (isinstance(node.func, ast.Name) and node.func.id in _OF_COLLECTIONS and len(node.args) == 1):
        return False
    return _is_integer(node.args[0], integers)


def _constant_parts(node: ast.BoolOp) -> Iterator[str]:
    dumps = [ast.dump(value) for value in node.values]
    negated = [ast.dump(v.operand) for v in node.values if isinstance(v, ast.UnaryOp) and isinstance(v.op, ast.Not)]
    if len(set(dumps)) < len(dumps) or any(dump in dumps for dump in negated):
        yield "a condition that repeats or contradicts itself"
    if any(isinstance(value, ast.Constant) for value in node.values[:-1]):
        yield "a condition that is constant"


def _constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _constant(node.operand)
    if isinstance(node, (ast.Compare, ast.BinOp)):
        return all(_constant(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
    return isinstance(node, ast.Constant)


def _empty(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function's body is a docstring, `pass`, `...` or the return of a constant."""
    for part in node.body:
        bare = isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        constant = isinstance(part, ast.Return) and (part.value is None or _constant(part.value))
        if not (bare or constant):
            return False
    return True


def _integers(tree: ast.AST) -> frozenset[str]:
    """Names that hold whole numbers as far as one can see: annotated, counted, or from `range` and `len`."""
    found: set[str] = set()
    other: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id == "int":
            found.add(node.arg)
        elif isinstance(node, ast.arg):
            other.add(node.arg)
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            is_range = isinstance(node.iter, ast.Call) and ast.unparse(node.iter.func) == "range"
            (found if is_range else other).add(node.target.id)
        elif isinstance(node, ast.Assign):
            integer = _is_integer(node.value, frozenset())
            for name in (target.id for target in node.targets if isinstance(target, ast.Name)):
                (found if integer else other).add(name)
    return frozenset(found - other)


def _is_integer(node: ast.expr, integers: frozenset[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in integers
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("len", "int", "round", "ord", "abs")
    if isinstance(node, ast.BinOp):
        return _is_integer(node.left, integers) and _is_integer(node.right, integers)
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def _special_case(before: ast.AST, after: ast.AST, test_literals: frozenset[tuple[type, Literal]]) -> Literal | None:
    """A value newly compared for equality that the failing test holds and the code had nothing like."""
    known = Counter(_compared(before))
    for kind, value in Counter(_compared(after)) - known:
        if (kind, value) not in test_literals or value in _ORDINARY:
            continue
        similar = [old for old_kind, old in known if old_kind is kind and _alike(old, value)]
        if not similar:
            return value
    return None


def _compared(tree: ast.AST) -> Iterator[tuple[type, Literal]]:
    for node in ast.walk(tree):
        kinds = node.ops if isinstance(node, ast.Compare) else []
        if any(isinstance(kind, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for kind in kinds):
            yield from _constants(node)


def _alike(one: Literal, other: Literal) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return likeness(one, other) >= 0.6
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= 1 or one == 10 * other or other == 10 * one
    return False
