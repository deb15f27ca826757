"""Access tokens of an authorization server: JSON Web Tokens for this server, and for no other (RFC 9068, RFC 8707)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import jwt
from mcp.server.auth.provider import AccessToken

from orchestrator.gateway.http.guard import Unacceptable
from orchestrator.gateway.http.jwks import Keys

LEEWAY_S = 30.0
"""How far clocks may be apart."""


class AccessTokens:
    """Tells good tokens of one issuer, for one audience, from others."""

    def __init__(self, keys: Keys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str) -> AccessToken:
        """See `Verifier`. How it is signed says the key, never the token."""
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.key(key_id if isinstance(key_id, str) else None)
            claims: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            raise Unacceptable("it has expired") from None
        except jwt.InvalidAudienceError:
            raise Unacceptable("it is for another server") from None
        except jwt.InvalidIssuerError:
            raise Unacceptable("it is somebody else's, not of the issuer this server trusts") from None
        except (jwt.PyJWTError, ValueError, RecursionError) as wrong:
            raise Unacceptable(f"it is not valid: {wrong}") from None
        subject = str(claims["sub"])
        return AccessToken(
            token="",
            client_id=str(claims.get("client_id") or claims.get("azp") or subject),
            scopes=_scopes(claims),
            subject=subject,
            claims={"iss": self._issuer},
        )


def _scopes(claims: Mapping[str, object]) -> list[str]:
    """`scope` (RFC 9068), or `scp` as some servers have it; a text or a list."""
    given = claims.get("scope", claims.get("scp", ""))
    if isinstance(given, list):
        return [str(scope) for scope in cast(list[object], given)]
    return str(given).split()
