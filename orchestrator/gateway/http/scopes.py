"""Tells a client which scope a request needs that its token lacks: 403, insufficient_scope.

The gateway's handlers enforce scopes, when HTTP can say nothing any more; this is the answer by which a client knows
what to ask a person for (MCP, authorization, scope challenge). It looks into the body, as clients of 2025 mirror
nothing of it in headers.
"""

from __future__ import annotations

import json
from typing import cast

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bus.wire import JsonObject, as_object
from orchestrator.gateway.bearer import Offer, token_of
from orchestrator.gateway.http.guard import Challenge
from orchestrator.gateway.http.refusal import refusal
from orchestrator.gateway.reach import Reach


class Scoped:
    """Stands in front of an application that gets each body as one message."""

    def __init__(self, app: ASGIApp, offer: Offer, challenge: Challenge) -> None:
        self._app = app
        self._offer = offer
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        token = token_of(HTTPConnection(scope))
        assert token is not None, "nobody else is let in"
        first = await receive() if scope["method"] == "POST" else None
        asked = _request(first)
        method, params = str(asked.get("method") or ""), as_object(asked.get("params"))
        reach = Reach.of(token.scopes)
        if lacking := await self._offer.lacking(reach, method, params):
            if method == "tools/call":
                await self._offer.refuse(params, token)
            why = f"this needs the scope {lacking}"
            wanted = " ".join(dict.fromkeys((*reach.scopes(), lacking)))
            header = self._challenge.header(wanted, "insufficient_scope", why)
            await refusal(403, "insufficient_scope", why, header)(scope, receive, send)
            return
        pending = [] if first is None else [first]

        async def again() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, again, send)


def _request(message: Message | None) -> JsonObject:
    """The JSON-RPC message of a body; nothing where there is none, which is for the application to say."""
    try:
        return as_object(cast(object, json.loads(message["body"]))) if message is not None else {}
    except (KeyError, ValueError, RecursionError):
        return {}
