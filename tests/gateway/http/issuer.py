"""An authorization server with keys of its own: it says what a test wants it to say, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as rsa
from mcp.server.auth.provider import AccessToken
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from orchestrator.gateway.http.guard import Unacceptable
from orchestrator.gateway.http.resource import Authorization
from orchestrator.gateway.http.serving import listening, served

AUDIENCE = "https://podium.example/mcp"


@cache
def private_keys() -> dict[str, Any]:
    """One for each algorithm that is accepted; made once, as that takes long."""
    return {"RS256": rsa(65537, 2048), "ES256": elliptic(SECP256R1()), "EdDSA": Ed25519PrivateKey.generate()}


class Issuer:
    """Gives out tokens, and counts who asks for its keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.names = {algorithm: f"{algorithm}-1" for algorithm in private_keys()}
        """Under which names its keys are known now."""
        self.asked = 0
        self.claims_to_be = url
        self.keys_at = f"{url}/keys"

    def keys(self) -> dict[str, Any]:
        """Its public keys, as a JSON Web Key Set."""
        found: list[dict[str, Any]] = []
        for algorithm, name in self.names.items():
            public = jwt.get_algorithm_by_name(algorithm).to_jwk(private_keys()[algorithm].public_key(), as_dict=True)
            found.append({**public, "kid": name, "use": "sig"})
        return {"keys": found}

    def token(self, scope: str = "podium:call", algorithm: str = "RS256", **claims: object) -> str:
        """A good token, but for `claims`; None takes one away."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "client_id": "desk",
            "iat": now,
            "exp": now + 600,
            "scope": scope,
        }
        told = {key: value for key, value in {**good, **claims}.items() if value is not None}
        return jwt.encode(told, private_keys()[algorithm], algorithm, {"kid": self.names[algorithm]})


@asynccontextmanager
async def issuer(path: str = "", well_known: str = "oauth-authorization-server") -> AsyncGenerator[Issuer]:
    """One, for as long as the block runs."""
    on = listening("127.0.0.1", 0)
    found = Issuer(f"http://127.0.0.1:{on.getsockname()[1]}{path}")

    async def metadata(request: Request) -> JSONResponse:
        return JSONResponse({"issuer": found.claims_to_be, "jwks_uri": found.keys_at})

    async def keys(request: Request) -> JSONResponse:
        found.asked += 1
        return JSONResponse(found.keys())

    where = f"/.well-known/{well_known}{path}"
    async with served(Starlette(routes=[Route(where, metadata), Route(f"{path}/keys", keys)]), on):
        yield found


class _Spelt:
    """A token is its subject and its scopes, spelt out: `ada/podium:read+…`."""

    async def verify(self, token: str) -> AccessToken:
        subject, _, scopes = token.partition("/")
        if not subject:
            raise Unacceptable("nobody")
        return AccessToken(token="", client_id="desk", scopes=scopes.split("+"), subject=subject)


SPELT = Authorization(_Spelt(), "https://issuer.example", AUDIENCE)
"""For tests that are about scopes, not about tokens."""
