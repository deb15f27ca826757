"""Calls whose server waits for an answer of their caller, until the caller comes back with it.

On the bus nobody is asked in mid-call: the call is answered with `input_required`, and comes again as another call
with the answers (specification 2026-07-28, multi round-trip requests). A server of the handshake era waits
meanwhile.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

import anyio
from mcp import MCPError
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    CreateMessageResultWithTools,
    ElicitResult,
    ListRootsResult,
)
from pydantic import BaseModel, ValidationError

from bus.wire import JsonObject, as_object
from servers.bridge.flight import Asker, Flight, Question
from servers.bridge.link import Link

KEPT_S = 15 * 60.0
"""How long a server waits for an answer."""
MOST = 64
"""Calls that wait at once."""

_KEY = "asked"
_RESULTS: dict[str, type[BaseModel]] = {
    "elicitation/create": ElicitResult,
    "sampling/createMessage": CreateMessageResultWithTools,
    "roots/list": ListRootsResult,
}


@dataclass(frozen=True)
class _Parked:
    flight: Flight
    question: Question
    request: str
    patience: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Parked:
    """The calls of one connection that wait."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: dict[str, _Parked] = {}

    def put(self, flight: Flight, question: Question, method: str, params: JsonObject) -> JsonObject | None:
        """The result that asks the caller; None where too many wait already, and the server was told so."""
        if len(self._waiting) >= MOST:
            question.settle(MCPError(INVALID_REQUEST, f"{MOST} calls wait for answers already"))
            return None
        state = secrets.token_urlsafe(32)
        self._waiting[state] = parked = _Parked(flight, question, _identity(method, params))

        async def expire() -> None:
            with parked.patience:
                await anyio.sleep(KEPT_S)
                del self._waiting[state]
                question.settle(MCPError(INVALID_REQUEST, f"nobody answered within {KEPT_S:.0f} s"))
                flight.cancel()

        self._link.beside(expire)
        asked = {"method": question.method, "params": question.params}
        return {"resultType": "input_required", "inputRequests": {_KEY: asked}, "requestState": state}

    def take(self, asker: Asker, method: str, params: JsonObject) -> Flight:
        """The call that `params` go on with; its server has been answered.

        Raises:
            MCPError: there is none, it is not this caller's or another request, or the answer is none.
        """
        state = params.get("requestState")
        parked = self._waiting.get(state) if isinstance(state, str) else None
        if parked is None or parked.flight.asker != asker or parked.request != _identity(method, params):
            told = "this request state is not known, or not any more; make the request anew, without it"
            raise MCPError(INVALID_PARAMS, told)
        answer = as_object(params.get("inputResponses")).get(_KEY)
        try:
            _RESULTS[parked.question.method].model_validate(answer)
        except ValidationError as wrong:
            raise MCPError(INVALID_PARAMS, f"this answers no {parked.question.method}: {wrong}") from wrong
        del self._waiting[str(state)]
        parked.patience.cancel()
        parked.question.settle(as_object(answer))
        return parked.flight


def _identity(method: str, params: JsonObject) -> str:
    """What makes two requests the same one, coming again."""
    asked = {key: value for key, value in params.items() if key not in ("_meta", "inputResponses", "requestState")}
    return json.dumps([method, asked], sort_keys=True)
