"""What may be added to a test file that has tests: nothing that reaches the old ones."""

from __future__ import annotations

import ast
import symtable
import unittest
from collections.abc import Iterator
from dataclasses import dataclass

from servers.search.source import FUNCTIONS

_HOOKS = frozenset(
    (
        *("setup", "setup_module", "setup_class", "setup_function", "setup_method", "setUp", "setUpClass"),
        *("teardown", "teardown_module", "teardown_class", "teardown_function", "teardown_method", "tearDown"),
        *("tearDownClass", "setUpModule", "tearDownModule", "asyncSetUp", "asyncTearDown", "load_tests", "pytestmark"),
    )
)
_AT_IMPORT = frozenset(
    (
        *("skip", "skipif", "importorskip", "xfail", "fail", "exit", "_exit", "exec", "eval", "setattr", "delattr"),
        *("start", "__enter__", "globals", "locals", "vars", "__import__", "reload", "setitem", "delitem"),
    )
)
"""Names of calls that reach beyond what they are given, when they are made while the file is imported."""
_SKIPS = frozenset(("skip", "xfail", "exit", "importorskip", "skipTest", "_exit"))


@dataclass(frozen=True, order=True)
class Imported:
    """One imported name: where from, and what it is called here."""

    module: str
    name: str
    called: str


@dataclass(frozen=True)
class Names:
    """What the old file has at its top or takes from outside: none of it may be bound anew there.

    `attributes` are those of its classes' own objects, which no new method may take.
    """

    used: frozenset[str]
    attributes: frozenset[str]
    imported: frozenset[Imported]

    @classmethod
    def of(cls, tree: ast.Module) -> Names:
        """The names of a file."""
        used = set(_outer_names(symtable.symtable(ast.unparse(tree), "tests", "exec")))
        attributes, here = set[str](), set[Imported]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and _root(node) in ("self", "cls"):
                attributes.add(node.attr)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                here |= set(imported(node))
            elif isinstance(node, ast.Call) and _called(node) in ("usefixtures", "getfixturevalue"):
                texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                used |= {text for text in texts if isinstance(text, str)}
        return cls(frozenset(used), frozenset(attributes), frozenset(here))


def _outer_names(table: symtable.SymbolTable) -> Iterator[str]:
    """Names bound at the top, and what functions take from there, the built-ins or, as arguments, fixtures."""
    for symbol in table.get_symbols():
        if table.get_type() in ("module", "class") or symbol.is_global() or symbol.is_parameter():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _outer_names(inner)


def imported(statement: ast.Import | ast.ImportFrom) -> Iterator[Imported]:
    """The names an import binds."""
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            yield Imported("", alias.name, alias.asname or alias.name.split(".")[0])
        else:
            module = "." * statement.level + (statement.module or "")
            yield Imported(module, alias.name, alias.asname or alias.name)


def is_skip(node: ast.AST) -> bool:
    """Whether a node ends a test without judging: `pytest.skip()`, `self.skipTest()`, …"""
    return isinstance(node, ast.Call) and _called(node) in _SKIPS


def problems(statement: ast.stmt, names: Names, owner: str) -> Iterator[str]:
    """Why a new statement of a module's or class's body may change what old tests do."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            yield from _import_problems(statement, names)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield from _definition_problems(statement, names, owner)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            yield from _name_problems(name, names, owner)
            yield from _at_import(statement, owner + name)
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            pass
        case _:
            yield (
                f"line {statement.lineno} runs when the file is imported, and may change what old tests do: "
                f"{ast.unparse(statement)[:100]}"
            )


def _import_problems(statement: ast.Import | ast.ImportFrom, names: Names) -> Iterator[str]:
    for each in imported(statement):
        if each.called == "*":
            yield f"`from {each.module} import *` may take the names that old tests use"
        elif each in names.imported or (not each.module and _same_package(each, names)):
            continue
        elif each.called in names.used:
            yield f"the import of {each.name} takes the name {each.called}, which old code uses"


def _same_package(new: Imported, names: Names) -> bool:
    """`import a.b` beside `import a`: both bind the same `a`."""
    plain = "." in new.name and new.called == new.name.split(".")[0]
    return plain and any(
        not old.module and old.called == new.called == old.name.split(".")[0] for old in names.imported
    )


def _name_problems(name: str, names: Names, owner: str) -> Iterator[str]:
    if name in names.used or (owner and name in names.attributes):
        yield f"{owner}{name} takes a name that old code uses"
    if owner and hasattr(unittest.TestCase, name):
        yield f"{owner}{name} takes a name of unittest.TestCase"
    if name in _HOOKS or name.startswith(("pytest_", "__")):
        yield f"{owner}{name} would act on the old tests as well"


def _definition_problems(
    statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, names: Names, owner: str
) -> Iterator[str]:
    yield from _name_problems(statement.name, names, owner)
    for decorator in statement.decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword) and node.arg == "autouse":
                yield f"{owner}{statement.name} is used by old tests without their asking (autouse)"
            if isinstance(node, ast.keyword) and node.arg == "name":
                if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
                    yield f"{owner}{statement.name}: the fixture's name is not a plain string"
                else:
                    yield from _name_problems(node.value.value, names, owner)
            if isinstance(node, ast.keyword) and node.arg is None:
                yield f"{owner}{statement.name}: what `**` gives a decorator cannot be checked"
    yield from _at_import(statement, owner + statement.name)
    for node in ast.walk(statement):
        if isinstance(node, ast.Global) and set(node.names) & names.used:
            yield f"{owner}{statement.name} may bind {', '.join(node.names)} anew for old code (global)"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            root = _root(node)
            if root.startswith(("test", "Test")) and root in names.used:
                yield f"{owner}{statement.name} changes {ast.unparse(node)}"
        if isinstance(node, ast.Call) and _called(node) in ("globals", "exec", "eval", "_getframe"):
            yield f"{owner}{statement.name} calls {_called(node)}, which can change old tests"


def _at_import(statement: ast.stmt, name: str) -> Iterator[str]:
    """Calls that are made when the file is imported."""
    for node in _run_at_import(statement):
        if isinstance(node, ast.Call) and _called(node) in _AT_IMPORT and not _is_mark(node):
            yield f"{name} calls {_called(node)} when the file is imported"
        elif isinstance(node, ast.NamedExpr):
            yield f"{name} binds {node.target.id} in passing"


def _run_at_import(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement that run with it: of functions only decorators and defaults."""
    stack = [statement]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            stack += [*node.decorator_list, *node.args.defaults, *(each for each in node.args.kw_defaults if each)]
        elif isinstance(node, ast.Lambda):
            stack += node.args.defaults
        else:
            stack += ast.iter_child_nodes(node)


def _is_mark(call: ast.Call) -> bool:
    """`pytest.mark.skipif(…)` on what is new concerns the new alone."""
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Attribute) and (
        call.func.value.attr == "mark"
    )  # fmt: skip


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
