"""What may be added to a test file that has tests: nothing that reaches the old ones."""

from __future__ import annotations

import ast
import symtable
import unittest
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from servers.writing import at_import
from servers.writing.at_import import Origins

_HOOKS = frozenset(
    (
        *("setup", "setup_module", "setup_class", "setup_function", "setup_method", "setUp", "setUpClass"),
        *("teardown", "teardown_module", "teardown_class", "teardown_function", "teardown_method", "tearDown"),
        *("tearDownClass", "setUpModule", "tearDownModule", "asyncSetUp", "asyncTearDown", "load_tests", "pytestmark"),
        "setUpTestData",
    )
)
_FIXTURES = frozenset(
    (
        *("anyio_backend", "anyio_backend_name", "anyio_backend_options", "monkeypatch", "request", "capsys", "capfd"),
        *("capsysbinary", "capfdbinary", "caplog", "recwarn", "tmp_path", "tmp_path_factory", "tmpdir", "cache"),
        *("tmpdir_factory", "pytestconfig", "record_property", "doctest_namespace", "testdir", "pytester", "mocker"),
        *("db", "transactional_db", "client", "admin_client", "async_client", "settings", "rf", "live_server"),
        *("django_db_setup", "app", "session", "event_loop", "event_loop_policy", "loop", "benchmark", "freezer"),
        *("httpx_mock", "requests_mock", "respx_mock", "aiohttp_client", "faker", "worker_id", "subtests"),
    )
)
"""Fixtures of pytest, its plugins and many a conftest.py, which old tests may depend on without naming them."""
GROWING = ("argvalues", "ids")
"""Arguments of `parametrize` that may get more elements."""
_SKIPS = frozenset(("skip", "xfail", "exit", "importorskip", "skipTest", "_exit"))


_PLAIN_BASES = frozenset(("object", "unittest.TestCase", "unittest.IsolatedAsyncioTestCase"))


@dataclass(frozen=True, order=True)
class Imported:
    """One imported name: where from, and what it is called here."""

    module: str
    name: str
    called: str


@dataclass(frozen=True)
class Names:
    """What the old file has at its top or takes from outside: none of it may be bound anew there.

    `attributes` are those of its classes' own objects, which no new method may take; `classes` are those at its top;
    `reached` are names read elsewhere than as parameters; `origins` are those of the new file.
    """

    used: frozenset[str]
    attributes: frozenset[str]
    imported: frozenset[Imported]
    classes: Mapping[str, ast.ClassDef]
    reached: frozenset[str]
    origins: Origins

    @classmethod
    def of(cls, tree: ast.Module, new: ast.Module) -> Names:
        """The names of an old file, and where those of the new one come from."""
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
        classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
        reached = frozenset(_reached(tree))
        return cls(frozenset(used), frozenset(attributes), frozenset(here), classes, reached, Origins.of(new))

    def may_grow(self, statement: ast.Assign | ast.AnnAssign) -> bool:
        """Whether the statement binds names that only give tests their parameters, or nothing anything."""
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [each.id for each in targets if isinstance(each, ast.Name)]
        special = _HOOKS | self.reached
        return len(names) == len(targets) and not any(
            each in special or each.startswith(("pytest_", "__")) for each in names
        )


def _reached(tree: ast.Module) -> Iterator[str]:
    cases = set[ast.AST]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize":
            cases |= {*node.args[1:2], *(each.value for each in node.keywords if each.arg in GROWING)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ClassDef) and node.bases:
            yield from _members(node)  # What the bases do with them is not known.
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in cases:
            yield node.id


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
            yield from _at_import(statement, names, owner + name)
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
                    if node.value.value in _FIXTURES:
                        yield f"{node.value.value} is a fixture that old tests may depend on"
            if isinstance(node, ast.keyword) and node.arg is None:
                yield f"{owner}{statement.name}: what `**` gives a decorator cannot be checked"
    if isinstance(statement, ast.ClassDef):
        yield from _overriding(statement, names, owner)
    elif statement.name in _FIXTURES and statement.decorator_list:
        yield f"{owner}{statement.name} takes the name of a fixture that old tests may depend on"
    yield from _at_import(statement, names, owner + statement.name)
    for node in ast.walk(statement):
        if isinstance(node, ast.Global) and set(node.names) & names.used:
            yield f"{owner}{statement.name} may bind {', '.join(node.names)} anew for old code (global)"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            root = _root(node)
            if root.startswith(("test", "Test")) and root in names.used:
                yield f"{owner}{statement.name} changes {ast.unparse(node)}"
        if isinstance(node, ast.Call) and _called(node) in ("globals", "exec", "eval", "_getframe"):
            yield f"{owner}{statement.name} calls {_called(node)}, which can change old tests"


def _at_import(statement: ast.stmt, names: Names, name: str) -> Iterator[str]:
    for problem in at_import.problems(statement, names.origins):
        yield f"{name} {problem}"


def overriding_old(old: ast.ClassDef, new: ast.ClassDef, names: Names, owner: str) -> Iterator[str]:
    """New members of an old class that take, or where its bases are not known may take, what it inherits."""
    inherited, unknown = _inherited(old, names)
    for name in sorted(_members(new) - _members(old)):
        if name in inherited or (unknown and not name.startswith("test")):
            yield f"{owner}{new.name}.{name} may take the place of what {new.name} inherits"


def _overriding(new: ast.ClassDef, names: Names, owner: str) -> Iterator[str]:
    bases = [ast.unparse(each).rpartition(".")[2] for each in new.bases]
    if not bases or not any(each.startswith("Test") or each.endswith("TestCase") for each in [new.name, *bases]):
        return
    inherited, _ = _inherited(new, names)
    if any(each.endswith("TestCase") for each in bases):
        inherited |= set(dir(unittest.TestCase))
    for name in sorted((_members(new) & inherited) - _HOOKS):
        yield f"{owner}{new.name}.{name} takes the place of what {new.name} inherits"


def _inherited(node: ast.ClassDef, names: Names) -> tuple[set[str], bool]:
    """Members of the bases that are in the old file, and whether there are others, unittest's own left out."""
    found, unknown, todo, seen = set[str](), False, [*node.bases], set[str]()
    while todo:
        base = ast.unparse(todo.pop())
        if base in seen or names.origins.found.get(base, {base}) <= _PLAIN_BASES:
            continue
        seen.add(base)
        if base in names.classes:
            found |= _members(names.classes[base])
            todo += names.classes[base].bases
        else:
            unknown = True
    return found, unknown


def _members(node: ast.ClassDef) -> set[str]:
    body = symtable.symtable(ast.unparse(ast.Module(node.body, [])), "tests", "exec")
    return {each.get_name() for each in body.get_symbols() if each.is_assigned() or each.is_imported()}


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
