"""The server that implements what the official conformance suite asks of one, put together."""

from __future__ import annotations

from typing import Any, get_args

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel.server import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    SetLevelRequestParams,
)

from tests.conformance.server.changes import change_tools
from tests.conformance.server.contents import CONTENT_TOOLS
from tests.conformance.server.inquiries import INQUIRY_TOOLS
from tests.conformance.server.live import settle
from tests.conformance.server.prompts import Prompts, complete
from tests.conformance.server.request import Context, Round
from tests.conformance.server.resources import Resources
from tests.conformance.server.rounds import ROUND_TOOLS
from tests.conformance.server.schemas import SCHEMA_TOOLS
from tests.conformance.server.telling import Log, telling_tools
from tests.conformance.server.tools import Toolbox

NAME = "podium-conformance"
_FRESH_MS = 1000
_CACHEABLE: tuple[CacheableMethod, ...] = get_args(CacheableMethod)


def conformance_server() -> Server[dict[str, Any]]:
    """A new server with state of its own; both eras, any transport."""
    bus, log, prompts, resources = InMemorySubscriptionBus(), Log(), Prompts(), Resources()
    toolbox = Toolbox((*CONTENT_TOOLS, *SCHEMA_TOOLS, *telling_tools(log), *INQUIRY_TOOLS, *ROUND_TOOLS))
    for each in change_tools(toolbox, prompts, resources, bus):
        toolbox.toggle(each)

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=toolbox.definitions())

    async def call(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        sent = Round(context, params.arguments or {}, params.input_responses or {}, params.request_state)
        return await toolbox.call(params.name, sent)

    async def get(context: Context, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
        sent = Round(context, params.arguments or {}, params.input_responses or {}, params.request_state)
        return prompts.get(params.name, sent)

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        return await settle(context, params, call)

    async def get_prompt(context: Context, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
        return await settle(context, params, get)

    server = Server(
        NAME,
        version="1",
        cache_hints={method: CacheHint(ttl_ms=_FRESH_MS, scope="public") for method in _CACHEABLE},
        get_tool_input_schema=toolbox.schema_of,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=prompts.list,
        on_get_prompt=get_prompt,
        on_list_resources=resources.list,
        on_list_resource_templates=resources.templates,
        on_read_resource=resources.read,
        on_subscribe_resource=resources.subscribe,
        on_unsubscribe_resource=resources.unsubscribe,
        on_subscriptions_listen=ListenHandler(bus),
        on_completion=complete,
    )
    # Logging is deprecated, which the constructor's parameter warns of; 2025 clients still set levels.
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, log.set_level)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
    return server
