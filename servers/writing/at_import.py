"""What new code of a test file may run while the file is imported: only what cannot reach the old tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from servers.search.source import FUNCTIONS

_CALLS = frozenset(
    (
        *("bool", "bytearray", "bytes", "complex", "dict", "enumerate", "float", "frozenset", "int", "len", "list"),
        *("object", "range", "reversed", "set", "slice", "str", "sum", "tuple", "zip"),
        *("pytest.param", "pytest.approx", "re.compile", "textwrap.dedent", "types.SimpleNamespace", "uuid.UUID"),
        *("pathlib.Path", "pathlib.PurePath", "pathlib.PurePosixPath", "decimal.Decimal", "fractions.Fraction"),
        *("datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone"),
        *("collections.Counter", "collections.OrderedDict", "collections.deque", "dataclasses.field", "enum.auto"),
        *("typing.NewType", "typing.TypeVar", "hypothesis.settings"),
    )
)
"""Calls that use nothing but what they are given, and leave that as it is."""
_DECORATORS = frozenset(
    (
        *("classmethod", "property", "staticmethod", "pytest.fixture", "pytest_asyncio.fixture"),
        *("dataclasses.dataclass", "functools.cache", "functools.cached_property", "functools.lru_cache"),
        *("functools.total_ordering", "functools.wraps", "contextlib.contextmanager"),
        *("contextlib.asynccontextmanager", "typing.overload", "typing.override", "abc.abstractmethod"),
        *("hypothesis.given", "hypothesis.example", "hypothesis.settings"),
        *("unittest.mock.patch", "unittest.mock.patch.object", "unittest.mock.patch.dict"),
        *("unittest.mock.patch.multiple",),
    )
)
"""Decorators that act on what they decorate alone, with or without a call."""
_WRAPPERS = _DECORATORS - frozenset(
    (
        *("functools.wraps", "hypothesis.given", "hypothesis.example", "hypothesis.settings"),
        *("unittest.mock.patch", "unittest.mock.patch.object", "unittest.mock.patch.dict"),
        *("unittest.mock.patch.multiple",),
    )
)
"""Decorators that, called with a function, wrap that one."""
_NO_FUNCTION = (ast.Constant, ast.JoinedStr, ast.Compare, ast.UnaryOp, ast.List, ast.Tuple, ast.Dict, ast.Set)
_STATEMENTS = (ast.With, ast.AsyncWith, ast.AugAssign, ast.Raise, ast.Assert)


@dataclass(frozen=True)
class Origins:
    """What each name of a file may stand for, by the dotted path it is imported from; empty: bound in the file."""

    found: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, tree: ast.Module) -> Origins:
        """The names of a file; one that is bound twice has to be allowed as both."""
        found: dict[str, frozenset[str]] = {}
        for node in ast.walk(tree):
            for name, origin in _bound(node):
                found[name] = found.get(name, frozenset[str]()) | {origin}
        return cls(found)

    def allowed(self, called: ast.expr, *, decorator: bool = False, marks: bool = True, wrappers: bool = True) -> bool:
        """Whether what is called is known to be harmless, under whatever name; `marks`: pytest's count as such."""
        parts = list[str]()
        while isinstance(called, ast.Attribute):
            parts.insert(0, called.attr)
            called = called.value
        if isinstance(called, ast.Constant) and isinstance(called.value, str | bytes):
            return True  # Methods of a literal text.
        if not isinstance(called, ast.Name):
            return False
        # What is bound nowhere is a built-in, or no name at all, which the run tells.
        origins = self.found.get(called.id, frozenset((called.id,)))
        paths = [".".join([origin, *parts]) if origin else "" for origin in origins]
        return all(_listed(path, decorator, marks) and (wrappers or path not in _WRAPPERS) for path in paths)


def _bound(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import():
            for each in node.names:
                yield each.asname or each.name.split(".")[0], each.name if each.asname else each.name.split(".")[0]
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


def _listed(path: str, decorator: bool, marks: bool) -> bool:
    if path in _CALLS or (decorator and path in _DECORATORS):
        return True
    package, _, name = path.rpartition(".")
    if package == "hypothesis.strategies":
        return not name.startswith("register")
    return marks and package == "pytest.mark"


def problems(statement: ast.AST, origins: Origins) -> Iterator[str]:
    """What of new code may, while the file is imported, change what old tests do."""
    decorators = set[ast.expr]()
    for node in _run(statement):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                for each in node.decorator_list:
                    called = each.func if isinstance(each, ast.Call) else each
                    decorators.add(each)
                    wrong = isinstance(each, ast.Call) and (
                        _marks(each, origins, decorator=True) or _wraps(each, origins)
                    )
                    if wrong or not origins.allowed(called, decorator=True):
                        yield f"calls {ast.unparse(called)[:60]} (a decorator) when the file is imported"
                if isinstance(node, ast.ClassDef) and node.keywords:
                    yield f"gives the class {node.name} a metaclass or arguments, which run when the file is imported"
                if node.name in ("__init_subclass__", "__class_getitem__"):
                    yield f"defines {node.name}, which runs when the file is imported"
            case ast.Call() if node not in decorators and (not origins.allowed(node.func) or _marks(node, origins)):
                yield f"calls {ast.unparse(node.func)[:60]} when the file is imported"
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield f"changes {ast.unparse(node)[:60]} when the file is imported"
            case ast.NamedExpr():
                yield f"binds {node.target.id} in passing"
            case _ if isinstance(node, _STATEMENTS):
                yield f"runs `{ast.unparse(node)[:60]}` when the file is imported"
            case _:
                pass


def _marks(call: ast.Call, origins: Origins, *, decorator: bool = False) -> bool:
    """Whether a call may be a mark's with a function or class as its only argument, which marks that one."""
    unpacked = any(isinstance(each, ast.Starred) for each in call.args) or any(not each.arg for each in call.keywords)
    alone = len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], _NO_FUNCTION)
    return not origins.allowed(call.func, decorator=decorator, marks=False) and (unpacked or alone)


def _wraps(call: ast.Call, origins: Origins) -> bool:
    """Whether a decorator may be given a function or class to wrap, which then is called with what is decorated."""
    values = [*call.args, *(each.value for each in call.keywords if each.arg in (None, "maxsize", "user_function"))]
    given = all(isinstance(each, _NO_FUNCTION) for each in values)
    return not given and not origins.allowed(call.func, decorator=True, wrappers=False)


def _run(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement that run with it, the outer first: of functions decorators, defaults, annotations."""
    stack = [statement]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            stack += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        elif isinstance(node, ast.Lambda):
            stack.append(node.args)
        else:
            stack += ast.iter_child_nodes(node)
