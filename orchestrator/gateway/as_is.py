"""One member of the crew as it is: its own names, schemas, prompts and resources, to a host of either era."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp import MCPError
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler, ServerEvent, ToolsListChanged
from pydantic import BaseModel

from bus.mcp_sdk import at_end
from bus.wire import JsonObject, as_object
from orchestrator.gateway.changes import Changes, TellingServer
from orchestrator.gateway.envelope import Context, for_the_crew, is_modern, pass_on, set_level
from orchestrator.gateway.live import answered_live
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
        for capability, methods in _METHODS.items():
            for method, params in methods.items() if capability in able else ():
                server.add_request_handler(method, params, self._ask)
        if "resources" in able:
            server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
            server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)
        if "logging" in able:
            server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, self._set_level)
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._initialized)
        await self.refresh()
        return server

    async def refresh(self) -> None:
        """See what the tools are now: a host's headers are checked by that before a call is made."""
        try:
            tools = await self._upstream.tools(self._member)
        except MCPError:
            return  # it has none, or says so when it is asked
        self._tools = {str(tool.get("name")): tool for tool in tools}

    def _schema(self, tool: str) -> JsonObject | None:
        return as_object(self._tools[tool].get("inputSchema")) if tool in self._tools else None

    async def _ask(self, ctx: Context, params: BaseModel) -> JsonObject:
        async def attempt(asked: JsonObject) -> JsonObject:
            if ctx.method == "tools/call":
                return await self._upstream.call(self._member, asked, heard)
            return await self._upstream.request(self._member, ctx.method, asked)

        async def heard(notification: JsonObject) -> None:
            await pass_on(ctx, notification)

        asked = for_the_crew(ctx)
        return await attempt(asked) if is_modern(ctx) else await answered_live(ctx, asked, attempt)

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

    async def _set_level(self, ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        set_level(ctx, params.level)
        return types.EmptyResult()

    async def _initialized(self, ctx: Context, params: types.NotificationParams) -> None:
        session = ctx.session

        async def left() -> None:
            with anyio.move_on_after(_LEAVE_S):
                for uri in self._changes.watched(session):
                    await self._watching.drop(uri)

        self._changes.remember(session)
        at_end(session, left)
