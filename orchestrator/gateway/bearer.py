"""Who made a request over HTTP, and how far their access token lets them reach into what is offered."""

from __future__ import annotations

from typing import Any, Protocol

from mcp import MCPError
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp_types import INVALID_REQUEST
from starlette.requests import HTTPConnection

from bus.mcp_sdk import before_each
from bus.wire import JsonObject
from orchestrator.gateway.reach import Reach


class Offer(Protocol):
    """What is offered, as far as scopes are concerned."""

    async def lacking(self, reach: Reach, method: str, params: JsonObject) -> str:
        """The scope that a request needs and `reach` does not cover; empty where it is covered."""
        ...

    async def refuse(self, params: JsonObject, token: AccessToken) -> None:
        """Put a tool call that was not covered on the record."""
        ...


def token_of(request: object) -> AccessToken | None:
    """The token a request was let in with; None where none is asked for: over stdio, or without authorization."""
    user: object = request.scope.get("user") if isinstance(request, HTTPConnection) else None
    return user.access_token if isinstance(user, AuthenticatedUser) else None


def reach_of(request: object) -> Reach:
    """How far whoever made a request reaches."""
    token = token_of(request)
    return Reach() if token is None else Reach.of(token.scopes)


def enforce(server: Server[Any], offer: Offer) -> None:
    """Have `server` answer only what is covered; tool calls are its own to refuse, as those are put on the record."""

    async def check(ctx: ServerRequestContext[Any, Any]) -> None:
        if ctx.method != "tools/call" and (lacking := await offer.lacking(reach_of(ctx.request), ctx.method, {})):
            raise MCPError(INVALID_REQUEST, f"this needs the scope {lacking}")

    before_each(server, check)
