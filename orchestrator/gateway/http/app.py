"""The SDK's Streamable HTTP, both eras, as the gateway serves it: what a request goes through, from outside in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp
from mcp.server.transport_security import RequestBodyLimitMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from bus.mcp_sdk import SessionManager
from orchestrator.gateway.bearer import Offer
from orchestrator.gateway.http.events import RecentEvents
from orchestrator.gateway.http.guard import Guarded, Identified
from orchestrator.gateway.http.limits import Allowance, Limited
from orchestrator.gateway.http.resource import Authorization
from orchestrator.gateway.http.scopes import Scoped

PATH = "/mcp"
RETRY_MS = 100
"""How long a client of 2025 is told to wait before it comes back to a stream that was closed."""
BODY_BYTES = 4 << 20
"""Of one request; larger ones get 413."""
SESSIONS = 256
"""Of 2025 clients, open at once; whoever wants one more gets 503."""
IDLE_S = 1800.0
"""After as long without a request a session is over."""

_ANY_PORT = (":*", "")


def security(hosts: Sequence[str]) -> TransportSecuritySettings:
    """Which `Host` headers are answered: this machine's names, and `hosts`. Pages of this machine only may ask.

    Without that a page on the internet could have its name resolve to this machine, and speak to it through a browser
    (DNS rebinding).
    """
    local = ("127.0.0.1", "localhost", "[::1]")
    return TransportSecuritySettings(
        allowed_hosts=[f"{host}{port}" for host in (*local, *hosts) for port in _ANY_PORT],
        allowed_origins=[f"http://{host}{port}" for host in local for port in _ANY_PORT],
    )


def application(
    server: Server[Any],
    offer: Offer,
    *,
    hosts: Sequence[str] = (),
    authorization: Authorization | None = None,
    allowance: Allowance | None = None,
) -> Starlette:
    """The web application; without an `authorization` everybody is let in, as far as the server goes."""
    manager = SessionManager(
        server,
        RecentEvents,
        security_settings=security(hosts),
        retry_interval=RETRY_MS,
        session_idle_timeout=IDLE_S,
        max_request_body_size=BODY_BYTES,
        max_sessions=SESSIONS,
    )
    app: ASGIApp = StreamableHTTPASGIApp(manager)
    if authorization is not None:
        challenge = authorization.challenge()
        app = Guarded(RequestBodyLimitMiddleware(Scoped(app, offer, challenge), BODY_BYTES), challenge)
    app = Limited(app, allowance or Allowance())
    if authorization is not None:
        app = Identified(app, authorization.verifier)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with manager.run():
            yield

    metadata = authorization.routes() if authorization is not None else ()
    return Starlette(routes=[Route(PATH, app), *metadata], lifespan=lifespan)
