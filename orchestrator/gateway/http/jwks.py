"""Public keys of an issuer of tokens: where they are found, and when they are looked up again."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import anyio
import httpx2
import jwt

from bus.wire import JsonObject, as_object
from orchestrator.gateway.http.addresses import address_wrong
from orchestrator.gateway.http.guard import Unacceptable

log = logging.getLogger(__name__)

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
FRESH_S = 300.0
"""After as long keys are looked up again, so that one that was withdrawn is not believed for ever."""
AGAIN_S = 30.0
"""At most this often an unknown key makes them be looked up again: anybody can make up a name of a key."""
_MOST_BYTES = 1 << 20
_PATIENCE_S = 10.0


class KeysUnavailable(Exception):
    """The keys cannot be had; says why."""


Load = Callable[[], Awaitable[bytes]]
"""Fetches a JSON Web Key Set; raises `KeysUnavailable`."""


class Keys:
    """The keys of one issuer, by id."""

    def __init__(self, load: Load, now: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._now = now
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._tried_at = -AGAIN_S
        self._loading = anyio.Lock()

    async def load(self) -> None:
        """Fetch them.

        Raises:
            KeysUnavailable: they cannot be had; those that are known stay known.
        """
        body = await self._load()
        try:
            found = jwt.PyJWKSet.from_json(body.decode())
        except (ValueError, AttributeError, jwt.PyJWTError) as wrong:
            raise KeysUnavailable(f"it is no set of keys: {wrong}") from wrong
        usable = tuple(key for key in found.keys if key.algorithm_name in ALGORITHMS and key.public_key_use != "enc")
        if not usable:
            raise KeysUnavailable(f"it has no key for {', '.join(sorted(ALGORITHMS))}")
        self._keys = usable

    async def keep(self) -> None:
        """Fetch them again from time to time, until cancelled. Nobody whose key is known waits for that."""
        while True:
            await anyio.sleep(FRESH_S)
            async with self._loading:
                await self._reload()

    async def key(self, key_id: str | None) -> jwt.PyJWK:
        """The key of that name; the only one, where none is named.

        Raises:
            Unacceptable: there is none.
        """
        if (found := self._known(key_id)) is None:
            await self._again()
            found = self._known(key_id)
        if found is None:
            raise Unacceptable("it is signed with a key that its issuer does not have")
        return found

    def _known(self, key_id: str | None) -> jwt.PyJWK | None:
        if key_id is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == key_id), None)

    async def _again(self) -> None:
        async with self._loading:
            if self._now() - self._tried_at < AGAIN_S:
                return
            await self._reload()

    async def _reload(self) -> None:
        try:
            await self.load()
        except KeysUnavailable as wrong:
            log.warning("the issuer's keys were not looked up again: %s", wrong)
        self._tried_at = self._now()  # when it ends: whoever waited for it meanwhile does not try anew


async def discovered(client: httpx2.AsyncClient, issuer: str) -> str:
    """Where an issuer's keys are, as its metadata says (RFC 8414; OpenID Connect Discovery).

    Raises:
        KeysUnavailable: it has no metadata, or somebody else's.
    """
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    tried: list[str] = []
    for url in dict.fromkeys(
        (
            f"{origin}/.well-known/oauth-authorization-server{path}",
            f"{origin}/.well-known/openid-configuration{path}",
            f"{origin}{path}/.well-known/openid-configuration",
        )
    ):
        try:
            said = _object(await fetched(client, url))
        except KeysUnavailable as wrong:
            tried.append(f"{url}: {wrong}")
            continue
        if said.get("issuer") != issuer:
            raise KeysUnavailable(f"{url} is of {said.get('issuer')!r}, not of {issuer}")
        found = said.get("jwks_uri")
        if not isinstance(found, str) or address_wrong(found):
            raise KeysUnavailable(f"{url} says its keys are at {found!r}")
        return found
    raise KeysUnavailable("; ".join(tried))


async def fetched(client: httpx2.AsyncClient, url: str) -> bytes:
    """A small document.

    Raises:
        KeysUnavailable: it is not there, too large, or somewhere else.
    """
    try:
        with anyio.fail_after(_PATIENCE_S):
            async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
                if response.status_code != 200:
                    raise KeysUnavailable(f"HTTP {response.status_code}")
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise KeysUnavailable(f"more than {_MOST_BYTES >> 20} MB")
                return bytes(body)
    except TimeoutError:
        raise KeysUnavailable(f"no answer within {_PATIENCE_S:.0f} s") from None
    except httpx2.HTTPError as wrong:
        raise KeysUnavailable(str(wrong) or repr(wrong)) from wrong


def _object(body: bytes) -> JsonObject:
    try:
        return as_object(json.loads(body))
    except ValueError as wrong:
        raise KeysUnavailable(f"not JSON: {wrong}") from wrong
