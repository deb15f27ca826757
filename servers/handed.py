"""What handlers are handed, by the scopes of their server: what nobody hands them, they have no way to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from contracts.manifest import Scope

Handed = Literal["keys", "sandbox"]
"""Models' keys, and with them the account of what was spent; a sandbox to run programs in."""

_HANDED: Mapping[Scope, Handed] = {"net:model": "keys", "sandbox:run": "sandbox"}


def handed(scopes: Iterable[Scope]) -> frozenset[Handed]:
    """What is handed to the handlers of whoever holds these scopes."""
    return frozenset(_HANDED[scope] for scope in scopes if scope in _HANDED)
