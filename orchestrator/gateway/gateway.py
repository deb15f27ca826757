"""One MCP server in front of the crew: every tool a host was granted, under names that say whose it is."""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler, ToolsListChanged

from bus.bus import Bus
from bus.granted import grants_of
from bus.registry import cards
from bus.wire import JsonObject, failure_apart, failure_result
from contracts.config import GATEWAY
from contracts.failure import Failure
from orchestrator.gateway.changes import Changes, TellingServer
from orchestrator.gateway.envelope import Context, for_the_crew, is_modern, pass_on, set_level
from orchestrator.gateway.flows import START, Flows
from orchestrator.gateway.live import Attempt, answered_live
from orchestrator.gateway.offer import Terms, exposed, granted, parted
from orchestrator.gateway.own_tools import Round
from orchestrator.gateway.prompts import Prompts
from orchestrator.gateway.resources import Resources
from orchestrator.gateway.upstream import Upstream

log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Podium's crew of specialists. A tool is named SERVER__TOOL. Every call is made under this host's own identity, "
    "within what it was granted, and is kept in the ledger. Where there is run_workflow, a whole task is given to the "
    "crew with it; follow the run with wait_run. A person decides at its gates, never you."
)


class Gateway:
    """What one host is offered, and the handlers that answer it."""

    def __init__(self, bus: Bus, upstream: Upstream, terms: Terms, flows: Flows | None = None) -> None:
        """`flows` are the gateway's own tools; without them, no runs are offered."""
        own = flows.tools() if flows else ()
        self._own = {tool.spec.name: tool for tool in own if terms.takes(GATEWAY, tool.definition())}
        self._bus = bus
        self._upstream = upstream
        self._terms = terms
        self._changes = Changes()
        self._resources = Resources(bus, self._changes) if self._own else None
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
        server.add_request_handler("tools/call", types.CallToolRequestParams, self._answer_call)
        server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, self._set_level)
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._initialized)
        if self._resources is not None:
            self._resources.add_to(server)
        if START in self._own:
            Prompts().add_to(server)
        return server

    async def tell_of_runs(self) -> None:
        """Tell hosts that listen of runs that begin and move on, for as long as that is wanted."""
        if self._resources is not None:
            await self._resources.tell()

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
        own = [tool.definition() for tool in self._own.values()]
        return {"resultType": "complete", "tools": [*own, *self._listed.values()]}

    async def _answer_call(self, ctx: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        return failure_apart(await self._call_tool(ctx, params))

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        if (own := self._own.get(params.name)) is not None:
            return await _answered(ctx, dict(ctx.params or {}), lambda asked: own.call(Round.of(ctx, asked)))
        if params.name not in self._listed:
            await self.refresh()
        server, tool = parted(params.name)
        asked = {**for_the_crew(ctx), "name": tool}
        if params.name not in self._listed:
            return await self._refused(server, asked, params.name)

        async def heard(notification: JsonObject) -> None:
            await pass_on(ctx, notification)

        async def attempt(params: JsonObject) -> JsonObject:
            return await self._upstream.call(server, params, heard)

        return await _answered(ctx, asked, attempt)

    async def _refused(self, server: str, asked: JsonObject, name: str) -> JsonObject:
        await self._upstream.refuse(server or GATEWAY, asked)
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


async def _answered(ctx: Context, asked: JsonObject, attempt: Attempt) -> JsonObject:
    """The answer to a host, which is asked live what is wanted to know in mid-call where it knows no other way."""
    return await attempt(asked) if is_modern(ctx) else await answered_live(ctx, asked, attempt)
