"""Which names a file offers at a place, and how alike two names are."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from servers.search.source import FUNCTIONS, Source

MAX_STRINGS = 300

_SCOPES = (*FUNCTIONS, ast.Lambda)


@lru_cache(maxsize=65_536)
def likeness(one: str, other: str) -> float:
    """How alike two names are, 0 to 1: shared letters in order, and shared words count most."""
    if one == other:
        return 1.0
    ratio = SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio()
    words, others = set(one.lower().split("_")), set(other.lower().split("_"))
    shared = len(words & others) / max(len(words | others), 1)
    return max(ratio, 0.6 * ratio + 0.4 * shared)


def nearest(wanted: str, offered: Iterable[str], limit: int, at_least: float = 0.0) -> list[str]:
    """The offered names most like `wanted`, best first; ties in the order offered."""
    unique = [name for name in dict.fromkeys(offered) if name != wanted]
    scored = [(likeness(wanted, name), -index, name) for index, name in enumerate(unique)]
    return [name for score, _, name in sorted(scored, reverse=True)[:limit] if score >= at_least]


@dataclass(frozen=True, eq=False)
class Names:
    """The names of one file, by scope. All answers are in the order of the text."""

    source: Source
    _locals: dict[ast.AST, tuple[str, ...]] = field(default_factory=dict[ast.AST, tuple[str, ...]])

    def local(self, scope: ast.AST) -> tuple[str, ...]:
        """What a function binds: parameters first, then what it assigns, not what inner functions do."""
        if scope not in self._locals:
            found: list[str] = []
            if isinstance(scope, _SCOPES):
                found += parameters(scope.args)
            stack = list(ast.iter_child_nodes(scope))[::-1]
            while stack:
                node = stack.pop()
                if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                    found.append(node.id)
                elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                    found.append(node.name)
                    continue
                elif isinstance(node, ast.alias):
                    found.append((node.asname or node.name).split(".")[0])
                elif isinstance(node, ast.ExceptHandler) and node.name:
                    found.append(node.name)
                if not isinstance(node, _SCOPES):
                    stack += list(ast.iter_child_nodes(node))[::-1]
            self._locals[scope] = tuple(name for name in dict.fromkeys(found) if name != "*")
        return self._locals[scope]

    def visible(self, node: ast.AST) -> tuple[str, ...]:
        """Names that may be bound at `node`: its functions' from the inside out, then the module's."""
        found: list[str] = []
        scopes: list[ast.AST] = [node] if isinstance(node, _SCOPES) else []
        scopes += [outer for outer in self.source.ancestors(node) if isinstance(outer, (*_SCOPES, ast.Module))]
        for scope in scopes:
            found += self.local(scope)
        return tuple(dict.fromkeys(found))

    def inner(self, node: ast.AST) -> tuple[str, ...]:
        """Names of the functions around `node` only."""
        found: list[str] = []
        for scope in self.source.ancestors(node):
            if isinstance(scope, _SCOPES):
                found += self.local(scope)
        return tuple(dict.fromkeys(found))

    @cached_property
    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Attributes by the text of what they are taken from (`self` has its class's methods too)."""
        found: dict[str, list[str]] = {}
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, []).append(node.attr)
            elif isinstance(node, ast.ClassDef):
                members = found.setdefault("self", [])
                for part in node.body:
                    if isinstance(part, (*FUNCTIONS, ast.ClassDef)):
                        members.append(part.name)
                    elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        members.append(part.target.id)
                    elif isinstance(part, ast.Assign):
                        members += [target.id for target in part.targets if isinstance(target, ast.Name)]
        return {key: tuple(dict.fromkeys(values)) for key, values in sorted(found.items())}

    @cached_property
    def all_attributes(self) -> tuple[str, ...]:
        """Every attribute name of the file."""
        return tuple(dict.fromkeys(name for names in self.attributes.values() for name in names))

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Short string constants of the file, docstrings left out."""
        found: list[str] = []
        for node in ast.walk(self.source.tree):
            docstring = isinstance(self.source.parents.get(node), ast.Expr)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= 40:
                found += [] if docstring else [node.value]
        return tuple(dict.fromkeys(found))[:MAX_STRINGS]

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        """Functions and methods by name; the first of a name."""
        found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        for node in self.source.statements:
            if isinstance(node, FUNCTIONS):
                found.setdefault(node.name, node)
        return found


def parameters(arguments: ast.arguments) -> list[str]:
    """A signature's names, in order."""
    ordered = [*arguments.posonlyargs, *arguments.args]
    if arguments.vararg:
        ordered.append(arguments.vararg)
    ordered += arguments.kwonlyargs
    if arguments.kwarg:
        ordered.append(arguments.kwarg)
    return [argument.arg for argument in ordered]
