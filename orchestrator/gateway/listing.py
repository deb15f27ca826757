"""The crew's tools as one host is offered them, by the names it finds them under."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import anyio
from mcp import MCPError

from bus.bus import Bus
from bus.granted import grants_of
from bus.registry import cards
from bus.wire import JsonObject
from contracts.terms import Terms
from orchestrator.gateway.offer import exposed, granted
from orchestrator.gateway.upstream import Upstream

log = logging.getLogger(__name__)

PATIENCE_S = 3.0
"""How long a list waits for a server. One that is slower, or fails, is left out and asked again the next time."""


class Listing:
    """What there was when it was last refreshed."""

    def __init__(self, bus: Bus, upstream: Upstream, terms: Terms) -> None:
        self._bus = bus
        self._upstream = upstream
        self._terms = terms
        self._defined: dict[str, tuple[str, list[JsonObject]]] = {}
        self.tools: Mapping[str, JsonObject] = {}
        """Definitions by exposed name, in the order in which they are listed."""
        self.refusing: Mapping[str, str] = {}
        """Why servers answer no calls, of those that do not. Their tools are not listed."""

    async def refresh(self) -> bool:
        """See who is in the crew now; whether that changed what is offered.

        Raises:
            BusUnavailable: the registry does not answer.
        """
        calls = await grants_of(self._bus, self._bus.identity)
        servers = {call.partition(".")[0] for call in calls}
        there = [card for card in await cards(self._bus) if card.manifest.name in servers]
        there = [card for card in there if self._terms.keeps(card.manifest.name)]
        self._note({card.manifest.name: card.refuses for card in there if card.refuses})
        await self._ask({card.manifest.name: card.tools_sha256 for card in there if not card.refuses})
        before, self.tools = self.tools, dict(sorted(self._exposed(calls)))
        return self.tools != before

    def _note(self, refusing: Mapping[str, str]) -> None:
        """What is not approved is not offered; the host's own log says so to whoever misses it."""
        for server, why in refusing.items():
            if self.refusing.get(server) != why:
                log.warning("%s is not offered: %s", server, why)
        self.refusing = refusing

    async def _ask(self, crew: Mapping[str, str]) -> None:
        """Learn what those define whose digest is not the one that is known, all at once."""
        self._defined = {name: known for name, known in self._defined.items() if crew.get(name) == known[0]}
        async with anyio.create_task_group() as tasks:
            for server in crew.keys() - self._defined.keys():
                tasks.start_soon(self._learn, server, crew[server])

    async def _learn(self, server: str, digest: str) -> None:
        try:
            with anyio.fail_after(PATIENCE_S):
                self._defined[server] = digest, await self._upstream.tools(server)
        except (MCPError, TimeoutError) as wrong:
            log.info("%s is left out for now: %r", server, wrong)

    def _exposed(self, calls: Iterable[str]) -> Iterable[tuple[str, JsonObject]]:
        held = frozenset(calls)
        for server, (_, tools) in self._defined.items():
            for tool in tools:
                own_name = str(tool.get("name"))
                if self._terms.takes(server, tool) and granted(held, server, own_name):
                    name = exposed(server, own_name)
                    yield name, {**tool, "name": name}
