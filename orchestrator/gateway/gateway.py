"""One MCP server in front of the crew: every tool a host was granted, under names that say whose it is."""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler, ToolsListChanged

from bus.bus import Bus
from bus.granted import grants_of
from bus.registry import cards
from bus.wire import JsonObject, failure_result
from contracts.failure import Failure
from orchestrator.gateway.bearer import reach_of
from orchestrator.gateway.changes import Changes, TellingServer
from orchestrator.gateway.envelope import Context, for_the_crew, is_modern, on_behalf, pass_on, set_level
from orchestrator.gateway.live import answered_live
from orchestrator.gateway.offer import Terms, exposed, granted, is_read_only, parted
from orchestrator.gateway.reach import READ, Reach, needed
from orchestrator.gateway.upstream import Upstream

log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Podium's crew of specialists. A tool is named SERVER__TOOL. Every call is made under this host's own identity, "
    "within what it was granted, and is kept in the ledger."
)


class Gateway:
    """What one host is offered, and the handlers that answer it."""

    def __init__(self, bus: Bus, upstream: Upstream, terms: Terms) -> None:
        self._bus = bus
        self._upstream = upstream
        self._terms = terms
        self._changes = Changes()
        self._listed: dict[str, JsonObject] = {}
        self._seen: frozenset[tuple[str, str]] = frozenset()

    def server(self, name: str, version: str) -> Server[Any]:
        """The SDK's server, for any of its transports."""
        server = TellingServer(
            name,
            version=version,
            title="Podium",
            instructions=INSTRUCTIONS,
            cache_hints={"tools/list": CacheHint(ttl_ms=2000, scope="private")},
            on_subscriptions_listen=ListenHandler(self._changes),
        )
        # Added one by one, as what the crew answers stays the JSON it is.
        server.add_request_handler("tools/list", types.PaginatedRequestParams, self._list_tools)
        server.add_request_handler("tools/call", types.CallToolRequestParams, self._call_tool)
        server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, self._set_level)
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._initialized)
        return server

    async def refresh(self) -> None:
        """See who is in the crew now; whoever listens is told when that changed what is offered.

        Raises:
            BusUnavailable: the registry does not answer.
        """
        calls = await grants_of(self._bus, self._bus.identity)
        crew = [card for card in await cards(self._bus) if self._terms.keeps(card.manifest.name)]
        seen = frozenset({(card.manifest.name, card.tools_sha256) for card in crew} | {("", call) for call in calls})
        if seen == self._seen:
            return
        self._listed = await self._definitions({card.manifest.name for card in crew}, calls)
        self._seen = seen
        await self._changes.publish(ToolsListChanged())

    async def _definitions(self, servers: Set[str], calls: Set[str]) -> dict[str, JsonObject]:
        """Every tool by the name it is exposed under, as its server defines it."""
        found: dict[str, JsonObject] = {}
        for server in sorted(servers & {call.partition(".")[0] for call in calls}):
            try:
                tools = await self._upstream.tools(server)
            except MCPError as wrong:
                log.info("%s is left out: %s", server, wrong)
                continue
            for tool in tools:
                own_name = str(tool.get("name"))
                if self._terms.takes(server, tool) and granted(calls, server, own_name):
                    name = exposed(server, own_name)
                    found[name] = {**tool, "name": name}
        return dict(sorted(found.items()))

    async def _list_tools(self, ctx: Context, params: types.PaginatedRequestParams | None) -> dict[str, Any]:
        await self.refresh()
        reach = reach_of(ctx.request)
        tools = [tool for name, tool in self._listed.items() if not self._lacking(reach, name)]
        return {"resultType": "complete", "tools": tools}

    async def lacking(self, reach: Reach, method: str, params: JsonObject) -> str:
        """See `orchestrator.gateway.http.scopes.Offer`."""
        if method != "tools/call":
            return READ if reach.nothing else ""
        name = str(params.get("name") or "")
        if name not in self._listed:
            await self.refresh()
        return self._lacking(reach, name)

    def _lacking(self, reach: Reach, name: str) -> str:
        """The scope that a tool needs beyond `reach`, whether it is there or not; empty where it needs none."""
        server, read_only = parted(name)[0], is_read_only(self._listed.get(name, {}))
        return "" if reach.covers(server, read_only=read_only) else needed(server, read_only=read_only)

    async def refuse(self, params: JsonObject, token: AccessToken) -> None:
        """See `orchestrator.gateway.http.scopes.Offer`."""
        server, tool = parted(str(params.get("name") or ""))
        await self._upstream.refuse(server, {**on_behalf(params, token), "name": tool})

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        server, tool = parted(params.name)
        asked = {**for_the_crew(ctx), "name": tool}
        lacking = await self.lacking(reach_of(ctx.request), ctx.method, {"name": params.name})
        if lacking or params.name not in self._listed:
            return await self._refused(server, asked, params.name)

        async def heard(notification: JsonObject) -> None:
            await pass_on(ctx, notification)

        async def attempt(params: JsonObject) -> JsonObject:
            return await self._upstream.call(server, params, heard)

        return await attempt(asked) if is_modern(ctx) else await answered_live(ctx, asked, attempt)

    async def _refused(self, server: str, asked: JsonObject, name: str) -> JsonObject:
        await self._upstream.refuse(server, asked)
        failure = Failure(
            kind="denied",
            message=f"there is no tool {name} for this host",
            way_out="tools/list has those there are; `podium agents` and the crew file say what a host is granted.",
        )
        return failure_result(failure)

    async def _set_level(self, ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        set_level(ctx, params.level)
        return types.EmptyResult()

    async def _initialized(self, ctx: Context, params: types.NotificationParams) -> None:
        self._changes.remember(ctx.session)
