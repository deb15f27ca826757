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
from bus.wire import JsonObject, failure_apart, failure_result
from contracts.failure import Failure
from contracts.terms import GATEWAY, Terms, is_read_only
from orchestrator.gateway.bearer import enforce, reach_of
from orchestrator.gateway.changes import Changes, TellingServer
from orchestrator.gateway.envelope import Context, for_the_crew, is_modern, on_behalf, pass_on, set_level
from orchestrator.gateway.flows import START, Flows
from orchestrator.gateway.live import Attempt, answered_live
from orchestrator.gateway.offer import exposed, granted, parted
from orchestrator.gateway.own_tools import Round
from orchestrator.gateway.prompts import Prompts
from orchestrator.gateway.reach import READ, Reach, needed
from orchestrator.gateway.resources import Resources
from orchestrator.gateway.upstream import Upstream

log = logging.getLogger(__name__)

_OF_RUNS = ("resources/", "completion/")
"""What is asked with these methods is about runs."""

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
        enforce(server, self)
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
        reach = reach_of(ctx.request)
        tools = [tool for name, tool in self._all().items() if not self._lacking(reach, name)]
        return {"resultType": "complete", "tools": tools}

    def _all(self) -> dict[str, JsonObject]:
        """The definitions of all tools, in the order in which they are listed."""
        return {name: tool.definition() for name, tool in self._own.items()} | self._listed

    async def lacking(self, reach: Reach, method: str, params: JsonObject) -> str:
        """See `orchestrator.gateway.bearer.Offer`."""
        if method != "tools/call":
            return "" if reach.reads or not (reach.nothing or method.startswith(_OF_RUNS)) else READ
        name = str(params.get("name") or "")
        if name not in self._all():
            await self.refresh()
        return self._lacking(reach, name)

    def _lacking(self, reach: Reach, name: str) -> str:
        """The scope that a tool needs beyond `reach`, whether it is there or not; empty where it needs none."""
        server, read_only = parted(name)[0] or GATEWAY, is_read_only(self._all().get(name, {}))
        return "" if reach.covers(server, read_only=read_only) else needed(server, read_only=read_only)

    async def refuse(self, params: JsonObject, token: AccessToken) -> None:
        """See `orchestrator.gateway.bearer.Offer`."""
        server, tool = parted(str(params.get("name") or ""))
        await self._upstream.refuse(server or GATEWAY, {**on_behalf(params, token), "name": tool})

    async def _answer_call(self, ctx: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        return failure_apart(await self._call_tool(ctx, params))

    async def _call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> dict[str, Any]:
        server, tool = parted(params.name)
        asked = {**for_the_crew(ctx), "name": tool}
        lacking = await self.lacking(reach_of(ctx.request), ctx.method, {"name": params.name})
        if lacking or params.name not in self._all():
            return await self._refused(server, asked, params.name)
        if (own := self._own.get(params.name)) is not None:
            return await _answered(ctx, dict(ctx.params or {}), lambda asked: own.call(Round.of(ctx, asked)))

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
