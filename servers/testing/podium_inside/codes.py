"""Which functions differ between two compilations of a file, and whether swapping their code gets there.

A module's and a class's body ran on import: where one of them differs, only a re-import tells.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

FUNCTION = 0x01 | 0x02  # CO_OPTIMIZED | CO_NEWLOCALS, see `inspect`
FIELDS = (
    "co_name",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",  # 3.11
)


class NeedsImport(Exception):
    """The difference is in code that runs on import."""


def key(code: CodeType) -> tuple[str, int, str]:
    """Finds a code object again among those of the running program, which are other objects than ours."""
    return (code.co_filename, code.co_firstlineno, code.co_name)


def changed(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
    """Pairs (old, new) of the function codes to swap, outer ones first.

    A nested function's code is a constant of its outer ones, so those are swapped with it.

    Raises:
        NeedsImport: swapping cannot get there.
    """
    pairs: list[tuple[CodeType, CodeType]] = []
    _walk(old, new, [], pairs)
    unique = {id(pair[0]): pair for pair in pairs}
    return list(unique.values())


def functions(code: CodeType) -> list[CodeType]:
    """All function codes inside a module's."""
    found: list[CodeType] = [code] if _swappable(code) else []
    for inner in _inner(code):
        found += functions(inner)
    return found


def _walk(
    old: CodeType,
    new: CodeType,
    outer: list[tuple[CodeType, CodeType]],
    pairs: list[tuple[CodeType, CodeType]],
) -> None:
    if _swappable(old):
        outer = [*outer, (old, new)]
    if not _same_shell(old, new):
        if not outer or not old.co_flags & FUNCTION == FUNCTION:
            raise NeedsImport(old.co_name)
        pairs += outer
        return
    for index, inner in enumerate(_inner(old)):
        _walk(inner, _inner(new)[index], outer, pairs)


def _swappable(code: CodeType) -> bool:
    """A function somebody may hold; comprehensions and type scopes (`<…>`) run where they stand."""
    return code.co_flags & FUNCTION == FUNCTION and (not code.co_name.startswith("<") or code.co_name == "<lambda>")


def _inner(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]


def _same_shell(old: CodeType, new: CodeType) -> bool:
    """Equal but for line numbers and the inside of nested code."""
    if any(getattr(old, name, None) != getattr(new, name, None) for name in FIELDS):
        return False
    ours, theirs = old.co_consts, new.co_consts
    if len(ours) != len(theirs):
        return False
    for index, one in enumerate(ours):
        other = theirs[index]
        if isinstance(one, CodeType) and isinstance(other, CodeType):
            continue
        if one == old.co_firstlineno and other == new.co_firstlineno and not old.co_flags & FUNCTION:
            continue  # `__firstlineno__` of a class (3.13) moves with what was inserted above it
        if not _same_const(one, other):
            return False
    return True


def _same_const(one: Any, other: Any) -> bool:
    """Equal in type and value: `1 == 1.0 == True`, `0.0 == -0.0` and nan is unlike itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return [repr(each) for each in one] == [repr(each) for each in other]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - constants are of any type
    if isinstance(one, frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))  # pyright: ignore[reportUnknownArgumentType] - constants are of any type
    return repr(one) == repr(other)
