"""What this server says of itself to clients that need a token: protected resource metadata (RFC 9728)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from orchestrator.gateway.http.guard import Challenge, Verifier
from orchestrator.gateway.reach import CALL, READ

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True)
class Authorization:
    """Who lets people in: a verifier, and, where there is one, the authorization server that gives out tokens."""

    verifier: Verifier
    issuer: str = ""
    audience: str = ""
    """This server's own URL, as its clients know it; empty where there is no issuer."""

    def challenge(self) -> Challenge:
        """What is said to who has no token."""
        if not self.audience:
            return Challenge()
        parts = urlsplit(self.audience)
        return Challenge(f"{parts.scheme}://{parts.netloc}{self._path()}")

    def routes(self) -> Sequence[Route]:
        """Where the metadata are."""
        if not self.audience:
            return ()
        told = {
            "resource": self.audience,
            "authorization_servers": [self.issuer],
            "scopes_supported": [READ, CALL],
            "bearer_methods_supported": ["header"],
            "resource_name": "Podium",
        }

        async def metadata(request: Request) -> JSONResponse:
            return JSONResponse(told, headers={"Access-Control-Allow-Origin": "*"})  # clients in browsers read it, too

        return (Route(self._path(), metadata),)

    def _path(self) -> str:
        return _WELL_KNOWN + urlsplit(self.audience).path.rstrip("/")
