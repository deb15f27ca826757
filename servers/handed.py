"""What handlers are handed, by the scopes of their server: what nobody hands them, they have no way to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from contracts.manifest import Scope

Handed = Literal["keys", "ledger", "sandbox"]
"""What a handler gets in hand, or else has no way to: models' keys, its own ledger, a sandbox to run programs in."""

_HANDED: Mapping[Scope, tuple[Handed, ...]] = {"net:model": ("keys", "ledger"), "sandbox:run": ("sandbox",)}


def handed(scopes: Iterable[Scope]) -> frozenset[Handed]:
    """What is handed to the handlers of whoever holds these scopes."""
    return frozenset(one for scope in scopes for one in _HANDED.get(scope, ()))
