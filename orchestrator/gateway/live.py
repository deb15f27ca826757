"""Hosts of the handshake era are asked live what a server wants to know in mid-call.

Since 2026-07-28 a server answers `input_required` and the client tries again with the answers (specification,
multi round-trip requests). Before, it sent the client a request of its own and waited. A crew speaks the former.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import mcp_types as types
from mcp import MCPError
from mcp.shared.message import ServerMessageMetadata
from pydantic import BaseModel

from bus.wire import JsonObject, as_object
from orchestrator.gateway.envelope import Context, is_modern

MAX_ROUNDS = 16
"""How often one call may ask back before it counts as never satisfied."""

Attempt = Callable[[JsonObject], Awaitable[JsonObject]]
"""Makes the request with these parameters; its result."""

_RESULTS: dict[str, type[BaseModel]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResultWithTools,
    "roots/list": types.ListRootsResult,
}


async def answered(ctx: Context, params: JsonObject, attempt: Attempt) -> JsonObject:
    """The answer to a host of either era; raises what `attempt` does, and see `_answered_live`."""
    return await attempt(params) if is_modern(ctx) else await _answered_live(ctx, params, attempt)


async def _answered_live(ctx: Context, params: JsonObject, attempt: Attempt) -> JsonObject:
    """The result of a request, once the host has answered everything that was asked back.

    Raises:
        MCPError: the request's, the host's, or that it was asked too often.
    """
    result = await attempt(params)
    for _ in range(MAX_ROUNDS):
        if result.get("resultType") != "input_required":
            return result
        asked = as_object(result.get("inputRequests"))
        answers = {key: await _ask(ctx, as_object(request)) for key, request in asked.items()}
        again = {**params, "inputResponses": answers}
        if (state := result.get("requestState")) is not None:
            again["requestState"] = state
        result = await attempt(again)
    raise MCPError(-32603, f"the tool asked back {MAX_ROUNDS} times and was never satisfied")


async def _ask(ctx: Context, request: JsonObject) -> JsonObject:
    method = str(request.get("method"))
    expected = _RESULTS.get(method)
    if expected is None:
        raise MCPError(-32603, f"the tool asks for {method}, which no client of this revision answers")
    answer = await ctx.session.send_request(
        types.server_request_adapter.validate_python(request),
        expected,
        metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
    )
    return answer.model_dump(by_alias=True, mode="json", exclude_none=True)
