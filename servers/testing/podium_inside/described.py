"""Values in words, bounded and the same from one process to the next: what two calls are compared by."""

from __future__ import annotations

import re
from typing import Any, cast

DEPTH = 4
ITEMS = 50
TEXT = 400

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


def described(value: Any, depth: int = DEPTH) -> str:
    """Builtin containers by their content, other objects by their attributes or their `repr` without addresses."""
    kind = _kind(value)
    if value is None or kind in (bool, int, float, complex):
        return repr(value)[:TEXT]
    if kind in (str, bytes, bytearray):
        return f"{len(value)}:{value[:TEXT]!r}"
    if depth == 0:
        return _name(kind)
    if kind in (list, tuple):
        return f"{kind.__name__}({len(value)}: {', '.join(described(each, depth - 1) for each in value[:ITEMS])})"
    if kind in (set, frozenset):
        words = sorted(described(each, depth - 1) for each in value)[:ITEMS]
        return f"{kind.__name__}({len(value)}: {', '.join(words)})"
    if kind is dict:
        pairs = list(value.items())[:ITEMS]
        words = [f"{described(one, depth - 1)}: {described(other, depth - 1)}" for one, other in pairs]
        return f"dict({len(value)}: {', '.join(words)})"
    if isinstance(value, BaseException):
        return f"{_name(kind)}({described(value.args, depth - 1)})"
    return _object(value, kind, depth)


def _object(value: Any, kind: Any, depth: int) -> str:
    try:
        if kind.__repr__ is object.__repr__:
            attributes: Any = getattr(value, "__dict__", None)
            return _name(kind) + (described(attributes, depth - 1) if type(attributes) is dict else "")
        return f"{_name(kind)} {_ADDRESS.sub('0x', repr(value)[:TEXT])}"
    except Exception as error:
        return f"{_name(kind)} without words: {type(error).__name__}"


def _kind(value: Any) -> Any:
    return cast("Any", type(value))


def _name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
