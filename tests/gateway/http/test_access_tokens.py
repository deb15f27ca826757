"""A gateway with an issuer lets in who has a token of that issuer, for this gateway, now; whatever else is tried."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bus.background import background
from orchestrator.gateway.http import jwks
from orchestrator.gateway.http.access_token import AccessTokens
from orchestrator.gateway.http.guard import Unacceptable
from orchestrator.gateway.http.jwks import AGAIN_S, Keys, KeysUnavailable, discovered, fetched
from orchestrator.gateway.http.resource import Authorization
from tests.bus.rigs import MemoryRig
from tests.gateway.http.issuer import AUDIENCE, Issuer, issuer, private_keys
from tests.gateway.http.web import ask, host, web


class Clock:
    """Time as a test wants it, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def trusting(found: Issuer, now: Callable[[], float] = time.monotonic) -> AsyncGenerator[AccessTokens]:
    """What a gateway that trusts `found` checks tokens with."""
    async with httpx2.AsyncClient() as client:

        async def load() -> bytes:
            return await fetched(client, await discovered(client, found.url))

        keys = Keys(load, now)
        await keys.load()
        async with background(keys.keep):
            yield AccessTokens(keys, found.url, AUDIENCE)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_is_let_in_and_stands_for_somebody(algorithm: str) -> None:
    """By whichever algorithm it is signed, of those that the issuer has a public key for."""
    async with issuer() as found, trusting(found) as tokens:
        token = await tokens.verify(found.token("podium:read openid", algorithm))
    assert (token.subject, token.client_id, token.scopes) == ("ada", "desk", ["podium:read", "openid"])


@pytest.mark.parametrize(
    ("path", "well_known"),
    [("", "oauth-authorization-server"), ("/realms/a", "oauth-authorization-server"), ("/a", "openid-configuration")],
)
async def test_keys_are_found_by_the_issuers_metadata(path: str, well_known: str) -> None:
    """OAuth's or OpenID Connect's, with or without a path."""
    async with issuer(path, well_known) as found, trusting(found) as tokens:
        assert (await tokens.verify(found.token())).subject == "ada"


def unsigned(found: Issuer) -> str:
    """`alg: none`, with the claims of a good token."""
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"RS256-1"}').rstrip(b"=").decode()
    return f"{head}.{found.token().split('.')[1]}."


def signed_with_the_public_key(found: Issuer) -> str:
    """HS256, with the text of the RSA key that everybody can read as its secret."""
    secret = private_keys()["RS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(found.token(), options={"verify_signature": False})
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT", "kid": "RS256-1"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    made = jwt.get_algorithm_by_name("HS256").sign(text, secret)
    return (text + b"." + base64.urlsafe_b64encode(made).rstrip(b"=")).decode()


def of_another_key(found: Issuer) -> str:
    """Signed with one key, under the name of another."""
    claims = jwt.decode(found.token(), options={"verify_signature": False})
    return jwt.encode(claims, private_keys()["ES256"], "ES256", {"kid": "RS256-1"})


def changed(found: Issuer) -> str:
    """The claims of one token with the signature of another."""
    head, _, signature = found.token().split(".")
    return f"{head}.{found.token(sub='root').split('.')[1]}.{signature}"


def seconds_from_now(seconds: int) -> int:
    """A NumericDate (RFC 7519, section 2), read when the token is made: a suite may run for longer than a token."""
    return int(time.time()) + seconds


ATTACKS: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "wrong audience": (lambda found: found.token(aud="https://elsewhere.example/mcp"), "for another server"),
    "a token of another resource of the same host": (
        lambda found: found.token(aud="https://podium.example/other"),
        "for another server",
    ),
    "no audience": (lambda found: found.token(aud=None), "missing the"),
    "wrong issuer": (lambda found: found.token(iss="https://evil.example"), "not of the issuer"),
    "no issuer": (lambda found: found.token(iss=None), "missing the"),
    "expired": (lambda found: found.token(exp=seconds_from_now(-120)), "expired"),
    "without an end": (lambda found: found.token(exp=None), "missing the"),
    "not yet valid": (lambda found: found.token(nbf=seconds_from_now(600)), "not yet valid"),
    "nobody's": (lambda found: found.token(sub=None), "missing the"),
    "alg none": (unsigned, "not valid"),
    "HS256 with the public key": (signed_with_the_public_key, "not valid"),
    "another key's signature": (of_another_key, "not valid"),
    "another token's signature": (changed, "not valid"),
    "a key nobody has": (lambda found: found.token() and forged("RS256-9"), "a key that its issuer does not have"),
    "no key named": (lambda found: forged(""), "a key that its issuer does not have"),
    "no token at all": (lambda found: "hunter2", "not valid"),
    "nested beyond measure": (lambda found: base64.b64encode(b"[" * 20_000).decode() + ".e30.e30", "not valid"),
}


def forged(key_id: str) -> str:
    """A good token of somebody else's."""
    header = {"kid": key_id} if key_id else None
    claims = {"iss": "", "aud": AUDIENCE, "sub": "ada", "exp": seconds_from_now(600), "scope": "podium:call"}
    return jwt.encode(claims, private_keys()["RS256"], "RS256", header)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_any_other_token_is_refused_over_http_with_the_reason_and_where_to_get_one(attack: str) -> None:
    """401, with the metadata's address and a scope to ask for; the crew hears nothing of it."""
    make, why = ATTACKS[attack]
    async with issuer() as found, trusting(found) as tokens:
        async with web(MemoryRig(), Authorization(tokens, found.url, AUDIENCE)) as url:
            response = await ask(url, "tools/list", token=make(found))
    assert response.status_code == 401
    challenge = response.headers["www-authenticate"]
    assert 'resource_metadata="https://podium.example/.well-known/oauth-protected-resource/mcp"' in challenge
    assert 'scope="podium:read"' in challenge
    assert 'error="invalid_token"' in challenge
    assert why in response.json()["error_description"]


async def test_whoever_shows_no_token_is_told_where_to_get_one() -> None:
    """No error, for nothing was wrong; tokens in the address count for nothing."""
    async with issuer() as found, trusting(found) as tokens:
        async with web(MemoryRig(), Authorization(tokens, found.url, AUDIENCE)) as url:
            none = await ask(url, "tools/list")
            in_address = await ask(f"{url}?access_token={found.token()}", "tools/list")
            basic = await ask(url, "tools/list", headers={"Authorization": "Basic YTpi"})
            async with httpx2.AsyncClient() as http:
                where = url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
                metadata = (await http.get(where)).json()
    for response in (none, in_address, basic):
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith('Bearer scope="podium:read", resource_metadata=')
    assert metadata["resource"] == AUDIENCE
    assert metadata["authorization_servers"] == [found.url]
    assert metadata["scopes_supported"] == ["podium:read", "podium:call"]


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_host_with_a_good_token_works_as_any_other(era: str) -> None:
    """In both eras."""
    async with issuer() as found, trusting(found) as tokens:
        async with web(MemoryRig(), Authorization(tokens, found.url, AUDIENCE)) as url:
            async with host(url, era, found.token()) as client:
                assert not (await client.call_tool("echo__say", {"text": "hi"})).is_error


async def test_a_new_key_is_looked_up_and_a_flood_of_made_up_ones_is_not() -> None:
    """One look for an unknown name; further ones wait, and good tokens do not suffer."""
    clock = Clock()
    async with issuer() as found, trusting(found, clock) as tokens:
        found.names["RS256"] = "RS256-2"
        assert (await tokens.verify(found.token())).subject == "ada"
        assert found.asked == 2
        for number in range(20):
            with pytest.raises(Unacceptable, match="does not have"):
                await tokens.verify(forged(f"made-up-{number}"))
        assert found.asked == 2
        assert (await tokens.verify(found.token())).subject == "ada"

        clock.now += AGAIN_S
        found.names["RS256"] = "RS256-3"
        assert (await tokens.verify(found.token())).subject == "ada"
        assert found.asked == 3


async def test_a_key_that_was_withdrawn_is_soon_not_believed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are looked up again from time to time, unasked."""
    monkeypatch.setattr(jwks, "FRESH_S", 0.01)
    async with issuer() as found, trusting(found) as tokens:
        old = found.token()
        assert (await tokens.verify(old)).subject == "ada"
        found.names["RS256"] = "RS256-2"

        async def until_refused() -> None:
            while await tokens.verify(old):
                await anyio.lowlevel.checkpoint()

        with anyio.fail_after(20), pytest.raises(Unacceptable, match="does not have"):
            await until_refused()


async def test_while_the_issuer_is_out_of_reach_nobody_waits_for_it_whose_key_is_known() -> None:
    """Of those whose key is not, one has it asked: whoever came meanwhile has been answered with that."""
    clock, asked, answer, silent = Clock(), 0, anyio.Event(), anyio.Event()

    async def load() -> bytes:
        nonlocal asked
        asked += 1
        if asked > 1:
            silent.set()
            await answer.wait()
            clock.now += 2 * AGAIN_S
            raise KeysUnavailable("no answer")
        return json.dumps(found.keys()).encode()

    async def unknown() -> None:
        with pytest.raises(Unacceptable, match="does not have"):
            await keys.key("made-up")

    async with issuer() as found, anyio.create_task_group() as tasks:
        keys = Keys(load, clock)
        await keys.load()
        clock.now += 2 * AGAIN_S
        tasks.start_soon(unknown)
        tasks.start_soon(unknown)
        await silent.wait()
        clock.now += 2 * jwks.FRESH_S
        with anyio.fail_after(5):
            assert (await keys.key("RS256-1")).key_id == "RS256-1"
        answer.set()
    assert asked == 2


async def test_keys_for_other_algorithms_are_no_keys() -> None:
    """A set that holds a secret, or only what is for encryption, is none to check signatures with."""
    sets: list[object] = [
        {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}]},
        {"keys": []},
        {"keys": "a"},
        [],
    ]
    async with issuer() as found:
        sets.append({"keys": [{**key, "use": "enc"} for key in found.keys()["keys"]]})
    for each in sets:

        async def load(each: object = each) -> bytes:
            return json.dumps(each).encode()

        with pytest.raises(KeysUnavailable):
            await Keys(load).load()


async def test_metadata_of_somebody_else_is_not_believed() -> None:
    """What says that it is of another issuer, or sends to an address that is not encrypted."""
    async with issuer() as found, httpx2.AsyncClient() as client:
        found.claims_to_be = "https://evil.example"
        with pytest.raises(KeysUnavailable, match=r"evil\.example"):
            await discovered(client, found.url)
        found.claims_to_be, found.keys_at = found.url, "http://192.0.2.1/keys"
        with pytest.raises(KeysUnavailable, match=r"192\.0\.2\.1"):
            await discovered(client, found.url)
        with pytest.raises(KeysUnavailable, match="404"):
            await discovered(client, f"{found.url}/realms/none")
