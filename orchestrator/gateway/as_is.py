"""One member of the crew as it is: its own names, schemas, prompts and resources, to a host of either era."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler, ServerEvent, ToolsListChanged
from pydantic import BaseModel

from bus.mcp_sdk import at_end
from bus.wire import JsonObject, as_object
from contracts.terms import is_read_only
from orchestrator.gateway.bearer import enforce, reach_of, token_of
from orchestrator.gateway.changes import Changes, TellingServer
from orchestrator.gateway.envelope import Context, for_the_crew, on_behalf, pass_on, set_level
from orchestrator.gateway.live import answered
from orchestrator.gateway.reach import Reach, needed
from orchestrator.gateway.upstream import ENVELOPE, Upstream
from orchestrator.gateway.watching import Watching

_METHODS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "tools": {"tools/list": types.PaginatedRequestParams, "tools/call": types.CallToolRequestParams},
    "prompts": {"prompts/list": types.PaginatedRequestParams, "prompts/get": types.GetPromptRequestParams},
    "resources": {
        "resources/list": types.PaginatedRequestParams,
        "resources/templates/list": types.PaginatedRequestParams,
        "resources/read": types.ReadResourceRequestParams,
    },
    "completions": {"completion/complete": types.CompleteRequestParams},
}
"""What a server serves, by the capability it declares."""
_LEAVE_S = 5.0


class AsIs:
    """A member's twin: an SDK server that asks the member everything."""

    def __init__(self, upstream: Upstream, member: str) -> None:
        self._upstream = upstream
        self._member = member
        self._changes = Changes()
        self._listeners = ListenHandler(self._changes)
        self._watching = Watching(upstream, member)
        self._tools: dict[str, JsonObject] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Server[Any]]:
        """The twin, for any of the SDK's transports; it tells what changes at the member for as long as the block runs.

        Raises:
            MCPError: the member does not answer.
        """

        async def on_change(event: ServerEvent) -> None:
            if isinstance(event, ToolsListChanged):
                await self.refresh()
            await self._changes.publish(event)

        async with self._upstream.changes(self._member, on_change):
            yield await self._server()

    async def _server(self) -> Server[Any]:
        said = await self._upstream.request(self._member, "server/discover", {"_meta": ENVELOPE})
        able, info = (
            as_object(said.get("capabilities")),
            as_object(as_object(said.get("_meta")).get(types.SERVER_INFO_META_KEY)),
        )
        server = TellingServer(
            str(info.get("name") or self._member),
            version=str(info.get("version") or ""),
            title=info.get("title"),
            description=info.get("description"),
            website_url=info.get("websiteUrl"),
            icons=[types.Icon.model_validate(icon) for icon in info.get("icons") or ()] or None,
            instructions=said.get("instructions"),
            get_tool_input_schema=self._schema,
            on_subscriptions_listen=self._listen,
        )
        enforce(server, self)
        for capability, methods in _METHODS.items():
            for method, params in methods.items() if capability in able else ():
                server.add_request_handler(method, params, self._ask)
        if "resources" in able:
            server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
            server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)
        if "logging" in able:
            server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._initialized)
        await self.refresh()
        return server

    async def refresh(self) -> None:
        """See what the tools are now: what a host may, and its headers, are checked by that before a call is made."""
        try:
            tools = await self._upstream.tools(self._member)
        except MCPError:
            return  # it has none, or says so when it is asked
        self._tools = {str(tool.get("name")): tool for tool in tools}

    def _schema(self, tool: str) -> JsonObject | None:
        return as_object(self._tools[tool].get("inputSchema")) if tool in self._tools else None

    async def lacking(self, reach: Reach, method: str, params: JsonObject) -> str:
        """See `orchestrator.gateway.bearer.Offer`."""
        if reach.everything:
            return ""
        name = str(params.get("name") or "")
        if method == "tools/call" and name not in self._tools:
            await self.refresh()
        read_only = method != "tools/call" or is_read_only(self._tools.get(name, {}))
        return "" if reach.covers(self._member, read_only=read_only) else needed(self._member, read_only=read_only)

    async def refuse(self, params: JsonObject, token: AccessToken) -> None:
        """See `orchestrator.gateway.bearer.Offer`."""
        await self._upstream.refuse(self._member, on_behalf(params, token))

    async def _ask(self, ctx: Context, params: BaseModel) -> JsonObject:
        async def attempt(asked: JsonObject) -> JsonObject:
            if ctx.method == "tools/call":
                return await self._upstream.call(self._member, asked, heard)
            return await self._upstream.request(self._member, ctx.method, asked)

        async def heard(notification: JsonObject) -> None:
            await pass_on(ctx, notification)

        asked, reach = for_the_crew(ctx), reach_of(ctx.request)
        if ctx.method == "tools/call" and (lacking := await self.lacking(reach, ctx.method, asked)):
            await self._upstream.refuse(self._member, asked)
            raise MCPError(types.INVALID_REQUEST, f"this needs the scope {lacking}")
        result = await answered(ctx, asked, attempt)
        return result if token_of(ctx.request) is None else self._for_one(reach, result)

    def _for_one(self, reach: Reach, result: JsonObject) -> JsonObject:
        """A result as whoever reaches so far sees it: of tools what is covered, and nobody is to keep it for others."""
        shown = dict(result)
        if "tools" in shown:
            shown["tools"] = [
                tool for tool in shown["tools"] if reach.covers(self._member, read_only=is_read_only(tool))
            ]
        return shown | ({"cacheScope": "private"} if "cacheScope" in shown else {})

    async def _listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        async with self._watching.all(params.notifications.resource_subscriptions or ()):
            return await self._listeners(ctx, params)

    async def _subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        if self._changes.watch(ctx.session, params.uri):
            try:
                await self._watching.add(params.uri)
            except BaseException:
                self._changes.unwatch(ctx.session, params.uri)
                raise
        return types.EmptyResult()

    async def _unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        if self._changes.unwatch(ctx.session, params.uri):
            await self._watching.drop(params.uri)
        return types.EmptyResult()

    async def _initialized(self, ctx: Context, params: types.NotificationParams) -> None:
        session = ctx.session

        async def left() -> None:
            with anyio.move_on_after(_LEAVE_S):
                for uri in self._changes.watched(session):
                    await self._watching.drop(uri)

        self._changes.remember(session)
        at_end(session, left)
