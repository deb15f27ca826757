"""Who is let in: a bearer token in the Authorization header, and nothing else (RFC 6750; MCP, authorization)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.gateway.bearer import token_of
from orchestrator.gateway.http.refusal import refusal
from orchestrator.gateway.reach import READ

log = logging.getLogger(__name__)

_WHY = "podium.why-not"


class Unacceptable(Exception):
    """A token is not good for this server; the message says why, to whoever holds it."""


class Verifier(Protocol):
    """Tells good tokens from others."""

    async def verify(self, token: str) -> AccessToken:
        """What a token stands for.

        Raises:
            Unacceptable: it is not good here.
        """
        ...


@dataclass(frozen=True)
class Challenge:
    """What is said to who is not let in (RFC 9728, section 5.1)."""

    metadata: str = ""
    """URL of the protected resource metadata; empty where there is no authorization server to ask."""

    def header(self, scope: str = "", error: str = "", why: str = "") -> dict[str, str]:
        """`WWW-Authenticate`."""
        told = {
            "error": error,
            "error_description": why,
            "scope": scope if self.metadata else "",
            "resource_metadata": self.metadata,
        }
        pairs = ", ".join(f'{key}="{_quotable(value)}"' for key, value in told.items() if value)
        return {"WWW-Authenticate": f"Bearer {pairs}".rstrip()}


def _quotable(text: str) -> str:
    return "".join(char for char in text if " " <= char <= "~" and char not in '"\\')


class Identified:
    """Finds out who makes a request; lets everybody pass, so that all are counted."""

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        given = Headers(scope=scope).getlist("authorization")
        kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if kind.lower() == "bearer":
            try:
                scope["user"] = AuthenticatedUser(await self._verifier.verify(token.strip()))
            except Unacceptable as wrong:
                scope[_WHY] = str(wrong)
                log.info("a token was refused: %s", wrong)
        await self._app(scope, receive, send)


class Guarded:
    """Lets in who was identified."""

    def __init__(self, app: ASGIApp, challenge: Challenge) -> None:
        self._app = app
        self._challenge = challenge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if token_of(HTTPConnection(scope)) is not None:
            await self._app(scope, receive, send)
            return
        why = str(scope.get(_WHY, ""))
        header = self._challenge.header(READ, "invalid_token" if why else "", why)
        refused = refusal(401, "invalid_token", why or "a bearer token is needed in the Authorization header", header)
        await refused(scope, receive, send)
