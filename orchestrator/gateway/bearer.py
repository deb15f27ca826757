"""Who made a request over HTTP: what the gateway's front end made of the access token that came with it."""

from __future__ import annotations

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import HTTPConnection

from orchestrator.gateway.reach import Reach


def token_of(request: object) -> AccessToken | None:
    """The token a request was let in with; None where none is asked for: over stdio, or without authorization."""
    user: object = request.scope.get("user") if isinstance(request, HTTPConnection) else None
    return user.access_token if isinstance(user, AuthenticatedUser) else None


def reach_of(request: object) -> Reach:
    """How far whoever made a request reaches."""
    token = token_of(request)
    return Reach() if token is None else Reach.of(token.scopes)
