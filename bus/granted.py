"""Who may call what, as the operator published it: the check inside a server's process, behind the broker's."""

from __future__ import annotations

import json

import anyio

from bus.bus import Bus
from contracts.ledger import GRANTS_BUCKET

FRESH_S = 1.0
"""How long a reader goes by what it has read; the broker knows of a change at once."""


async def grants_of(bus: Bus, caller: str) -> frozenset[str]:
    """What `caller` may call now: `server.tool`, or `server.*`.

    Raises:
        BusUnavailable: nobody can say.
    """
    return (await _grants(bus)).get(caller, frozenset())


async def _grants(bus: Bus) -> dict[str, frozenset[str]]:
    return {name: frozenset(json.loads(kept.body)) for name, kept in (await bus.entries(GRANTS_BUCKET)).items()}


class LiveGrants:
    """Grants by caller, as one server sees them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._calls: dict[str, frozenset[str]] = {}
        self._read_at = -FRESH_S

    async def allows(self, caller: str, tool: str) -> bool:
        """Whether `caller` may call `tool` of this server.

        Raises:
            BusUnavailable: nobody can say.
        """
        if anyio.current_time() - self._read_at < FRESH_S and self._known(caller, tool):
            return True
        self._calls = await _grants(self._bus)  # whoever is refused may have been granted it just now
        self._read_at = anyio.current_time()
        return self._known(caller, tool)

    def _known(self, caller: str, tool: str) -> bool:
        me = self._bus.identity
        return bool(self._calls.get(caller, frozenset()) & {f"{me}.{tool}", f"{me}.*"})
