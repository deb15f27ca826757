"""What may be added to test files: to one that has tests, what cannot act on these; to a new one, what only declares.

Names decide what code acts on: pytest takes fixtures and set-ups by their names, Python takes everything so. At the
top of a file with tests a new name is that of a test, a class or an import, and free; whatever else new tests need
stands inside of them or of their class, where it is theirs alone. While the file is imported none of it runs.
"""

from __future__ import annotations

import ast
import symtable
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from servers.search.source import FUNCTIONS
from servers.writing.inert import Origins

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_SPECIAL = ("setup", "setUp", "teardown", "tearDown", "pytest_", "pytestmark", "load_tests", "__")
"""How names begin that pytest and unittest look for in a module."""
_PLAIN_BASES = frozenset(("object", "unittest.TestCase", "unittest.IsolatedAsyncioTestCase"))
_NO_FIXTURES = (sys.stdlib_module_names | {"pytest", "hypothesis"}) - {"__future__"}
"""Packages that hold neither fixtures nor set-ups a name could bring in."""
_FINDS_CODE = ("sys.path.insert", "sys.path.append")


@dataclass(frozen=True)
class Names:
    """What the old file binds or takes from outside, its tests, and where names come from, before and now."""

    used: frozenset[str]
    tests: frozenset[str]
    bases: frozenset[str]
    before: Origins
    origins: Origins

    @classmethod
    def of(cls, old: ast.Module, new: ast.Module) -> Names:
        """The names of an old file, and where those of the new one come from."""
        used = _outer(symtable.symtable(ast.unparse(old), "tests", "exec"))
        functions = (node.name for node in ast.walk(old) if isinstance(node, FUNCTIONS))
        tests = (name for name in functions if name.startswith("test"))
        bases = (ast.unparse(base) for each in old.body if isinstance(each, ast.ClassDef) for base in each.bases)
        return cls(frozenset(used), frozenset(tests), frozenset(bases), Origins.of(old), Origins.of(new))


def _outer(table: symtable.SymbolTable) -> Iterator[str]:
    """Names bound at the top of a file, and what its functions and classes take from there or the built-ins."""
    for symbol in table.get_symbols():
        if table.get_type() == "module" or symbol.is_global():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _outer(inner)


def problems(statement: ast.stmt, names: Names) -> Iterator[str]:
    """Why a new statement of a file with tests may act on these."""
    match statement:
        case ast.Import(names=imported):
            for each in imported:
                path = each.name if each.asname else each.name.partition(".")[0]
                yield from _imported(each.asname or path, path, names)
        case ast.ImportFrom(names=imported):
            yield from _imported_from(statement, imported, names)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test"):
            yield from _defined(statement, name, names)
        case ast.ClassDef(name=name):
            yield from _defined(statement, name, names)
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            pass
        case _:
            yield (
                f"`{ast.unparse(statement).splitlines()[0][:100]}` may act on the old tests: only tests, classes and "
                "imports can be added at the top of a file that has tests. Fixtures, helpers and constants of new "
                "tests stand in a class with them"
            )


def _defined(statement: Definition, name: str, names: Names) -> Iterator[str]:
    yield from _free(name, names)
    yield from _runs(statement, names, fixtures=False)
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=old) | ast.Attribute(attr=old) | ast.Constant(value=str(old)) if old in names.tests:
                yield f"{name} speaks of {old}, an old test, which is to be left alone"
            case ast.Global(names=bound) if names.used & {*bound}:
                yield f"{name} may bind {', '.join(bound)} anew for old code (global)"
            case _:
                pass


def _free(name: str, names: Names) -> Iterator[str]:
    if name in names.used:
        yield f"{name} takes a name that old code uses"
    if name.startswith(_SPECIAL):
        yield f"{name} would act on the old tests as well"


def _imported(name: str, path: str, names: Names) -> Iterator[str]:
    if names.before.found.get(name) != frozenset((path,)):  # The same again changes nothing.
        yield from _free(name, names)


def _imported_from(statement: ast.ImportFrom, imported: Sequence[ast.alias], names: Names) -> Iterator[str]:
    package = (statement.module or "").partition(".")[0]
    for each in imported:
        name, path = each.asname or each.name, f"{'.' * statement.level}{statement.module or ''}.{each.name}"
        if names.before.found.get(name) == frozenset((path,)):
            continue
        if statement.level or package not in _NO_FIXTURES or each.name == "*":
            yield (
                f"the import of {each.name} may bring a fixture or set-up to the old tests. Import the module, or "
                "import the name inside of the tests or class that need it"
            )
        yield from _free(name, names)


def _runs(node: Definition, names: Names, *, fixtures: bool) -> Iterator[str]:
    """What of a definition runs before its tests do, and is not known to act on nothing."""
    origins = names.origins
    for each in node.decorator_list:
        if not origins.decorates(each, fixtures=fixtures):
            yield f"{node.name}: `@{ast.unparse(each)[:60]}` may act on more than that when the file is imported"
    if isinstance(node, FUNCTIONS):
        values = [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]
        annotations = [each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg)]
        wrong = [each for each in values if not origins.inert(each)]
        wrong += [each for each in (*annotations, node.returns) if each is not None and not origins.is_type(each)]
        yield from (f"{node.name}: `{ast.unparse(each)[:60]}` runs when the file is imported" for each in wrong)
        return
    for base in node.bases:
        if not (origins.paths(base) <= _PLAIN_BASES or ast.unparse(base) in names.bases):
            yield f"{node.name}: {ast.unparse(base)[:60]} may act when it gets a subclass"
    if node.keywords:
        yield f"{node.name}: a metaclass or arguments of a class run when the file is imported"
    for statement in node.body:
        yield from _member(statement, node.name, names)


def _member(statement: ast.stmt, owner: str, names: Names) -> Iterator[str]:
    bound, runs = list[str](), list[str]()
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            bound, runs = [name], list(_runs(statement, names, fixtures=True))
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if names.origins.inert(value):
            bound = [name]
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value) if names.origins.is_type(kind) and (
            value is None or names.origins.inert(value)
        ):
            bound = [name]
        case ast.Import(names=imported) | ast.ImportFrom(names=imported):
            bound = [each.asname or each.name for each in imported]
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            pass
        case _:
            yield f"{owner}: `{ast.unparse(statement)[:60]}` runs when the file is imported"
    yield from (f"{owner}.{each}" for each in runs)
    for name in bound:
        if name.startswith(("__", "pytest_")):
            yield f"{owner}.{name} may run while tests are collected. Put it into the test or fixture that needs it"


def effects(body: Sequence[ast.stmt]) -> Iterator[str]:
    """What a new file does when it is imported, instead of declaring: other files' tests have yet to run then."""
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Pass():
                pass
            case ast.ClassDef(body=inner):
                yield from effects(inner)
            case ast.If(test=test) if ast.unparse(test) == "__name__ == '__main__'":
                pass
            case ast.If(body=inner, orelse=other):
                yield from effects([*inner, *other])
            case ast.Try(body=inner, handlers=handlers, orelse=other, finalbody=final):
                yield from effects([*inner, *(each for one in handlers for each in one.body), *other, *final])
            case ast.Assign(targets=targets) if all(_is_name(each) for each in targets):
                pass
            case ast.AnnAssign(target=target) if _is_name(target):
                pass
            case ast.Expr(value=ast.Constant()):
                pass
            case ast.Expr(value=ast.Call(func=called)) if ast.unparse(called) in _FINDS_CODE:
                pass
            case _:
                yield (
                    f"line {statement.lineno} acts on the tests of other files when the file is imported: "
                    f"`{ast.unparse(statement)[:100]}`. Do it in a fixture that takes it back"
                )


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return all(_is_name(each) for each in target.elts)
    return isinstance(target, ast.Name) and not target.id.startswith("pytest_")
