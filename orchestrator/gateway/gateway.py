"""One MCP server in front of the crew: every tool a host was granted, under names that say whose it is."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler, ToolsListChanged

from bus.bus import Bus
from bus.wire import JsonObject, failure_apart, failure_result
from contracts.failure import Failure
from contracts.terms import GATEWAY, Terms, is_read_only
from orchestrator.gateway.bearer import enforce, reach_of
from orchestrator.gateway.changes import Changes, TellingServer
from orchestrator.gateway.envelope import Context, for_the_crew, on_behalf, pass_on, set_level
from orchestrator.gateway.flows import START, Flows
from orchestrator.gateway.listing import Listing
from orchestrator.gateway.live import answered
from orchestrator.gateway.offer import parted
from orchestrator.gateway.own_tools import Round
from orchestrator.gateway.prompts import Prompts
from orchestrator.gateway.reach import READ, Reach, needed
from orchestrator.gateway.resources import Resources
from orchestrator.gateway.upstream import Upstream
from orchestrator.text import line

_NAME_CHARS = 80
_OF_RUNS = ("resources/", "completion/", "prompts/")
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
        self._upstream = upstream
        self._changes = Changes()
        self._listeners = ListenHandler(self._changes)
        self._resources = Resources(bus, self._changes) if self._own else None
        self._listing = Listing(bus, upstream, terms)

    def server(self, name: str, version: str) -> Server[Any]:
        """The SDK's server, for any of its transports."""
        server = TellingServer(
            name,
            version=version,
            title="Podium",
            instructions=INSTRUCTIONS,
            cache_hints={"tools/list": CacheHint(ttl_ms=2000, scope="private")},
            on_subscriptions_listen=self._listen,
        )
        # Added one by one, as what the crew answers stays the JSON it is.
        server.add_request_handler("tools/list", types.PaginatedRequestParams, self._list_tools)
        server.add_request_handler("tools/call", types.CallToolRequestParams, self._answer_call)
        server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)
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
        if await self._listing.refresh():
            await self._changes.publish(ToolsListChanged())

    async def _list_tools(self, ctx: Context, params: types.PaginatedRequestParams | None) -> dict[str, Any]:
        await self.refresh()
        reach = reach_of(ctx.request)
        tools = [tool for name, tool in self._all().items() if not self._lacking(reach, name)]
        return {"resultType": "complete", "tools": tools}

    def _all(self) -> dict[str, JsonObject]:
        """The definitions of all tools, in the order in which they are listed."""
        return {name: tool.definition() for name, tool in self._own.items()} | dict(self._listing.tools)

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
            return await answered(ctx, dict(ctx.params or {}), lambda asked: own.call(Round.of(ctx, asked)))

        async def heard(notification: JsonObject) -> None:
            await pass_on(ctx, notification)

        async def attempt(params: JsonObject) -> JsonObject:
            return await self._upstream.call(server, params, heard)

        return await answered(ctx, asked, attempt)

    async def _refused(self, server: str, asked: JsonObject, name: str) -> JsonObject:
        await self._upstream.refuse(server or GATEWAY, asked)
        message = f"there is no tool {line(name, _NAME_CHARS)} for this host"
        way_out = "tools/list has those there are; `podium agents` and the crew file say what a host is granted."
        if why := self._listing.refusing.get(server):
            message, way_out = f"{server} answers no calls: {why}", f"A person can: podium agents approve {server}"
        failure = Failure(kind="denied", message=message, way_out=way_out)
        return failure_result(failure)

    async def _initialized(self, ctx: Context, params: types.NotificationParams) -> None:
        self._changes.remember(ctx.session, resources=reach_of(ctx.request).reads)

    async def _listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Whoever may not read runs hears of tools only."""
        if not reach_of(ctx.request).reads:
            tools = types.SubscriptionFilter(tools_list_changed=params.notifications.tools_list_changed)
            params = params.model_copy(update={"notifications": tools})
        return await self._listeners(ctx, params)
