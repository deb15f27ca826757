"""Clients of 2025 are asked while their request waits; what asks them is written for those of 2026.

An `input_required` result is turned into live requests on the stream of the request it belongs to, and their answers
into the next round, until the result is complete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    CallToolRequestParams,
    CreateMessageRequest,
    CreateMessageResult,
    ElicitRequest,
    ElicitResult,
    GetPromptRequestParams,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    ListRootsResult,
)

from tests.conformance.server.request import Context, speaks_2026

Params = TypeVar("Params", CallToolRequestParams, GetPromptRequestParams)
Result = TypeVar("Result")


async def settle(
    context: Context, params: Params, answer: Callable[[Context, Params], Awaitable[Result | InputRequiredResult]]
) -> Result | InputRequiredResult:
    """The result for this client: whatever it is at 2026-07-28, a complete one before."""
    while True:
        result = await answer(context, params)
        if speaks_2026(context) or not isinstance(result, InputRequiredResult):
            return result
        asked = (result.input_requests or {}).items()
        answers = {key: await _ask(context, request) for key, request in asked}
        params = params.model_copy(update={"input_responses": answers, "request_state": result.request_state})


async def _ask(context: Context, request: InputRequest) -> InputResponse:
    where = ServerMessageMetadata(related_request_id=context.request_id)
    match request:
        case ElicitRequest():
            return await context.session.send_request(request, ElicitResult, metadata=where)
        case CreateMessageRequest():
            return await context.session.send_request(request, CreateMessageResult, metadata=where)
        case _:
            return await context.session.send_request(request, ListRootsResult, metadata=where)
