"""Expressions of new code that act on nothing when they are evaluated: what is known is listed, all else is not."""

from __future__ import annotations

import ast
import builtins
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_MAKERS = frozenset(
    (
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "len", "list", "object"),
        *("range", "set", "slice", "str", "sum", "tuple", "pytest.approx", "pytest.param", "re.compile"),
        *("textwrap.dedent", "uuid.UUID", "pathlib.Path", "pathlib.PurePath", "pathlib.PurePosixPath"),
        *("decimal.Decimal", "fractions.Fraction", "datetime.date", "datetime.datetime", "datetime.time"),
        *("datetime.timedelta", "datetime.timezone", "collections.Counter", "collections.OrderedDict"),
    )
)
"""Calls that, given data, make data."""
_KEEPERS = frozenset(("pytest.param", "types.SimpleNamespace"))
"""Calls that only keep what they are given."""
_PLAIN = frozenset(("staticmethod", "classmethod", "contextlib.contextmanager", "contextlib.asynccontextmanager"))
"""Decorators that act on what they decorate alone, unless they are called: with another function, that one."""
_CALLED = frozenset(
    (
        *("hypothesis.given", "hypothesis.example", "hypothesis.settings", "unittest.mock.patch"),
        *("unittest.mock.patch.object", "unittest.mock.patch.dict", "unittest.mock.patch.multiple"),
    )
)
"""Calls that make such a decorator."""
_FIXTURES = frozenset(("pytest.fixture", "pytest_asyncio.fixture"))
_DATA = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare),
    *(ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Starred, ast.Subscript, ast.Slice),
)
_OWN = sys.stdlib_module_names | set(dir(builtins))
_TYPE = (ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.Tuple, ast.List)


@dataclass(frozen=True)
class Origins:
    """What each name of a file may stand for, by the dotted path it is imported from; empty: bound in the file.

    `listed` has the lists and tuples that names of its top are bound to, once.
    """

    found: Mapping[str, frozenset[str]]
    listed: Mapping[str, ast.List | ast.Tuple]

    @classmethod
    def of(cls, tree: ast.Module) -> Origins:
        """The names of a file; one that is bound twice has to be allowed as both."""
        bound = [each for node in ast.walk(tree) for each in _bound(node)]
        names = Counter(name for name, _ in bound)
        found = dict[str, frozenset[str]]()
        for name, path in bound:
            found[name] = found.get(name, frozenset[str]()) | {path}
        listed = dict[str, ast.List | ast.Tuple]()
        for each in tree.body:
            match each:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.List() | ast.Tuple() as value):
                    if names[name] == 1:
                        listed[name] = value
                case _:
                    pass
        return cls(found, listed)

    def paths(self, node: ast.expr) -> frozenset[str]:
        """What a dotted name may stand for; an empty path for what cannot be told."""
        parts = list[str]()
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return frozenset(("",))
        unbound = "" if "*" in self.found else node.id
        origins = self.found.get(node.id, frozenset((unbound,)))
        return frozenset(".".join([origin, *parts]) if origin else "" for origin in origins)

    def data(self, node: ast.expr) -> bool:
        """Whether it is made of literals and built-in names alone: nothing of the project runs, or is gone through."""
        match node:
            case ast.Name(id=name):
                return self.paths(node) == frozenset((name,)) and hasattr(builtins, name)
            case ast.Call(func=called):
                known = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Constant)
                return (known or self.paths(called) <= _MAKERS) and _given(node, self.data)
            case _:
                return isinstance(node, _DATA) and all(map(self.data, _parts(node)))

    def inert(self, node: ast.expr) -> bool:
        """Whether to evaluate it does nothing but to hold data and what names stand for."""
        match node:
            case ast.Name():
                return True
            case ast.Attribute(value=value):
                return self.inert(value)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return all(map(self.inert, parts))
            case ast.Dict(keys=keys, values=values):
                return all(each is not None and self.data(each) for each in keys) and all(map(self.inert, values))
            case ast.Lambda(args=arguments):
                return all(map(self.inert, _parts(arguments)))
            case ast.Call():
                return self.data(node) or (self._keeps(node) and _given(node, self.inert))
            case _:
                return self.data(node)

    def _keeps(self, call: ast.Call) -> bool:
        return all(
            path in _KEEPERS
            or (path.startswith("hypothesis.strategies.") and not path.startswith("hypothesis.strategies.register"))
            or (path.startswith("pytest.mark.") and self._marks(call))
            for path in self.paths(call.func)
        )

    def decorates(self, node: ast.expr, *, fixtures: bool) -> bool:
        """Whether a decorator acts on what it decorates alone; `fixtures`: one may be made there."""
        if not isinstance(node, ast.Call):
            plain = _PLAIN | _FIXTURES if fixtures else _PLAIN
            return all(path in plain or path.startswith("pytest.mark.") for path in self.paths(node))
        paths = self.paths(node.func)
        if fixtures and paths <= _FIXTURES:
            return _given(node, self.data)
        if paths <= _CALLED:
            return _given(node, self.inert)
        return all(path.startswith("pytest.mark.") for path in paths) and self._marks(node)

    def _marks(self, call: ast.Call) -> bool:
        """Whether a mark's call makes another mark: given nothing but a function or class it would mark that one."""
        if "pytest.mark.parametrize" in self.paths(call.func):
            return self._parametrizes(call)
        alone = len(call.args) == 1 and not call.keywords and not self.data(call.args[0])
        return not alone and _given(call, self.inert)

    def _parametrizes(self, call: ast.Call) -> bool:
        """Cases, and each of several values, are gone through at once: neither may be an iterator by its name.

        Nor may a function be given that makes their ids, which runs then.
        """
        given = dict(zip(("argnames", "argvalues", "indirect"), call.args, strict=False))
        given |= {each.arg or "**": each.value for each in call.keywords}
        cases, names = given.pop("argvalues", None), given.get("argnames")
        if cases is None or "**" in given or not all(map(self.data, given.values())):
            return False
        cases = self.listed.get(cases.id, cases) if isinstance(cases, ast.Name) else cases
        alone = isinstance(names, ast.Constant) and "," not in str(names.value)
        if isinstance(cases, ast.List | ast.Tuple):
            named = any(isinstance(each, ast.Name | ast.Attribute) for each in cases.elts)
            return self.inert(cases) and (alone or not named)
        return self.data(cases)

    def is_type(self, node: ast.expr) -> bool:
        """Whether it can be an annotation that only names types, with parameters for those of Python itself."""
        parts = [each for each in ast.walk(node) if isinstance(each, ast.expr)]
        roots = {
            path.partition(".")[0]
            for each in parts
            if isinstance(each, ast.Subscript)
            for path in self.paths(each.value)
        }
        return all(isinstance(each, _TYPE) for each in parts) and roots <= _OWN


def _given(call: ast.Call, check: Callable[[ast.expr], bool]) -> bool:
    """Whether all arguments of a call are what is asked; what `**` gives cannot be told."""
    return all(map(check, call.args)) and all(each.arg and check(each.value) for each in call.keywords)


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    return (each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr))


def _bound(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import():
            for each in node.names:
                name = each.name if each.asname else each.name.partition(".")[0]
                yield each.asname or name, name
        case ast.ImportFrom():
            for each in node.names:
                yield each.asname or each.name, f"{'.' * node.level}{node.module or ''}.{each.name}"
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name, ""
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, ""
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name, ""
        case ast.MatchMapping(rest=str(name)):
            yield name, ""
        case _:
            pass
