"""One member of the crew as it is: its own names, schemas, prompts and resources, to a host of either era."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler
from pydantic import BaseModel

from bus.wire import JsonObject, as_object
from orchestrator.gateway.changes import Changes
from orchestrator.gateway.envelope import Context, for_the_crew, is_modern, pass_on, set_level
from orchestrator.gateway.live import answered_live
from orchestrator.gateway.upstream import ENVELOPE, Upstream

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


class AsIs:
    """A member's twin: an SDK server that asks the member everything."""

    def __init__(self, upstream: Upstream, member: str, changes: Changes) -> None:
        self._upstream = upstream
        self._member = member
        self._changes = changes
        self._schemas: dict[str, JsonObject] = {}

    async def server(self) -> Server[Any]:
        """The twin, with what the member says of itself.

        Raises:
            MCPError: it does not answer.
        """
        said = await self._upstream.request(self._member, "server/discover", {"_meta": ENVELOPE})
        able, info = (
            as_object(said.get("capabilities")),
            as_object(as_object(said.get("_meta")).get(types.SERVER_INFO_META_KEY)),
        )
        server: Server[Any] = Server(
            str(info.get("name") or self._member),
            version=str(info.get("version") or ""),
            title=info.get("title"),
            description=info.get("description"),
            website_url=info.get("websiteUrl"),
            instructions=said.get("instructions"),
            get_tool_input_schema=self._schemas.get,
            on_subscriptions_listen=ListenHandler(self._changes),
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
        """See what arguments the tools take now: a host's headers are checked by that before a call is made."""
        try:
            tools = await self._upstream.tools(self._member)
        except MCPError:
            return  # it has none, or says so when it is asked
        self._schemas.clear()
        self._schemas.update({str(tool.get("name")): as_object(tool.get("inputSchema")) for tool in tools})

    async def _ask(self, ctx: Context, params: BaseModel) -> JsonObject:
        async def attempt(asked: JsonObject) -> JsonObject:
            if ctx.method == "tools/call":
                return await self._upstream.call(self._member, asked, heard)
            return await self._upstream.request(self._member, ctx.method, asked)

        async def heard(notification: JsonObject) -> None:
            await pass_on(ctx, notification)

        asked = for_the_crew(ctx)
        return await attempt(asked) if is_modern(ctx) else await answered_live(ctx, asked, attempt)

    async def _subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        self._changes.watch(ctx.session, params.uri)
        return types.EmptyResult()

    async def _unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self._changes.unwatch(ctx.session, params.uri)
        return types.EmptyResult()

    async def _set_level(self, ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        set_level(ctx, params.level)
        return types.EmptyResult()

    async def _initialized(self, ctx: Context, params: types.NotificationParams) -> None:
        self._changes.remember(ctx.session)
