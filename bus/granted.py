"""Who may call what, as the operator published it: the check inside a server's process, behind the broker's."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

from bus.bus import Bus
from bus.fresh import Fresh
from contracts.ledger import GRANTS_BUCKET


async def all_grants(bus: Bus) -> dict[str, frozenset[str]]:
    """What everybody may call now, by name: `server.tool`, or `server.*`.

    Raises:
        BusUnavailable: nobody can say.
    """
    return {name: frozenset(json.loads(kept.body)) for name, kept in (await bus.entries(GRANTS_BUCKET)).items()}


async def grants_of(bus: Bus, caller: str) -> frozenset[str]:
    """What `caller` may call now.

    Raises:
        BusUnavailable: nobody can say.
    """
    return (await all_grants(bus)).get(caller, frozenset())


def covered(calls: Iterable[str], server: str, tool: str) -> bool:
    """Whether `calls`, each `server.tool` or `server.*`, have this one among them."""
    return not {f"{server}.{tool}", f"{server}.*"}.isdisjoint(calls)


class LiveGrants:
    """Grants by caller, as one server sees them."""

    def __init__(self, bus: Bus) -> None:
        self._me = bus.identity
        self._calls = Fresh(partial(grants_of, bus))

    async def allows(self, caller: str, tool: str) -> bool:
        """Whether `caller` may call `tool` of this server.

        Raises:
            BusUnavailable: nobody can say.
        """

        def holds(calls: frozenset[str]) -> bool:
            return covered(calls, self._me, tool)

        return holds(await self._calls.get(caller, holds))
