"""How a tool or prompt asks its client for input, and reads what came back.

Nobody asks here in two ways: a request that needs input ends with an `input_required` result. What becomes of it for
a client that knows none of that is `live.py`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_REQUEST,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

from tests.conformance.server.request import Round

_CAPABILITY = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}


def form(message: str, /, **properties: Mapping[str, Any]) -> ElicitRequest:
    """Ask a person to fill in these properties, all of them required."""
    schema = {"type": "object", "properties": dict(properties), "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def completion(prompt: str, max_tokens: int) -> CreateMessageRequest:
    """Ask the client's model."""
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def roots() -> ListRootsRequest:
    """Ask which folders the client works in."""
    return ListRootsRequest()


def can_answer(call: Round, request: InputRequest) -> bool:
    """Whether the client declared the capability that a request needs."""
    declared = call.context.session.client_capabilities
    return declared is not None and getattr(declared, _CAPABILITY[request.method]) is not None


def ask(call: Round, state: str | None = None, /, **requests: InputRequest) -> InputRequiredResult:
    """The result that asks; the answers come back in the next round under the same keys, `state` as it was.

    Raises MCPError -32021 with `requiredCapabilities` where the client cannot answer (specification 2026-07-28,
    basic, capabilities).
    """
    missing = {
        _CAPABILITY[asked.method]: dict[str, Any]() for asked in requests.values() if not can_answer(call, asked)
    }
    if missing:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"This needs a client with {' and '.join(missing)}",
            {"requiredCapabilities": missing},
        )
    return InputRequiredResult(input_requests=dict(requests), request_state=state)


def filled_in(call: Round, key: str) -> Mapping[str, Any] | None:
    """What a person entered; None if that is not there yet. MCPError if the person would not say."""
    answer = call.answers.get(key)
    if not isinstance(answer, ElicitResult):
        return None
    if answer.action != "accept":
        raise MCPError(INVALID_REQUEST, f"This needs an answer, and the question was answered with {answer.action}")
    return answer.content or {}


def completed(call: Round, key: str) -> str | None:
    """What the client's model said; None if that is not there."""
    answer = call.answers.get(key)
    return answer.content.text if isinstance(answer, CreateMessageResult) and answer.content.type == "text" else None


def folders(call: Round, key: str) -> list[str] | None:
    """The URIs of the client's folders; None if they are not there."""
    answer = call.answers.get(key)
    return [str(root.uri) for root in answer.roots] if isinstance(answer, ListRootsResult) else None
