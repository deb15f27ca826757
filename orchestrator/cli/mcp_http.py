"""`podium mcp --http`: the gateway over Streamable HTTP, and what a person has to know to use it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import click
import httpx2

from bus.background import background
from contracts.terms import Terms
from orchestrator.cli.http_settings import HttpSettings
from orchestrator.cli.mcp_gateway import offered
from orchestrator.cli.shared import document
from orchestrator.cli.trouble import trouble
from orchestrator.gateway.http.access_token import AccessTokens
from orchestrator.gateway.http.addresses import is_loopback
from orchestrator.gateway.http.app import PATH, application
from orchestrator.gateway.http.jwks import Keys, KeysUnavailable, discovered, fetched
from orchestrator.gateway.http.local_token import LocalToken, local_token
from orchestrator.gateway.http.resource import Authorization
from orchestrator.gateway.http.serving import listening, served
from orchestrator.house import state_dir


async def serve_http(host: str, terms: Terms, settings: HttpSettings, *, as_is: bool, as_json: bool) -> None:
    """Serve until cancelled; the address is the first line of standard output."""
    try:
        on = listening(settings.address, settings.port)
    except OSError as wrong:
        where = f"port {settings.port} of {settings.address}"
        raise trouble(f"Nobody can listen on {where}: {wrong.strerror}.", "--port 0 takes a free one.") from wrong
    with on:
        async with (
            _authorization(settings) as authorization,
            offered(host, terms, as_is=as_is) as (server, offer),
            served(application(server, offer, hosts=settings.hosts, authorization=authorization), on),
        ):
            name = f"[{settings.address}]" if ":" in settings.address else settings.address
            _say(f"http://{name}:{on.getsockname()[1]}{PATH}", settings, as_json=as_json)
            await anyio.sleep_forever()


@asynccontextmanager
async def _authorization(settings: HttpSettings) -> AsyncGenerator[Authorization | None]:
    if settings.open:
        yield None
    elif not settings.issuer:
        yield Authorization(LocalToken(_told(_token_file(settings))))
    else:
        async with httpx2.AsyncClient(follow_redirects=False) as client:

            async def load() -> bytes:
                if not settings.jwks:
                    return await fetched(client, await discovered(client, settings.issuer))
                if "://" in settings.jwks:
                    return await fetched(client, settings.jwks)
                try:
                    return await anyio.Path(settings.jwks).read_bytes()
                except OSError as wrong:
                    raise KeysUnavailable(f"{settings.jwks}: {wrong.strerror}") from wrong

            keys = Keys(load)
            try:
                await keys.load()
            except KeysUnavailable as wrong:
                message = f"The keys of {settings.issuer} cannot be had: {wrong}."
                raise trouble(message, "--jwks names where they are, a URL or a file.") from wrong
            tokens = AccessTokens(keys, settings.issuer, settings.audience)
            async with background(keys.keep):
                yield Authorization(tokens, settings.issuer, settings.audience)


def _token_file(settings: HttpSettings) -> Path:
    return settings.token_file or state_dir() / "mcp-token"


def _told(file: Path) -> str:
    token, fresh = local_token(file)
    if fresh:
        click.echo(
            f"A token was made; it stands in {file}, and is not shown again.\n"
            f"  Have your host send it: Authorization: Bearer {token}",
            err=True,
        )
    return token


def _say(url: str, settings: HttpSettings, *, as_json: bool) -> None:
    told: dict[str, str] = {"url": url}
    if settings.issuer:
        told |= {"authorization": "oauth", "issuer": settings.issuer, "audience": settings.audience}
    elif settings.open:
        told |= {"authorization": "none"}
    else:
        told |= {"authorization": "token", "token_file": str(_token_file(settings))}
    if as_json:
        document(dict(told))
        return
    click.echo(url)
    if not is_loopback(settings.address):
        click.echo("This is plain HTTP: put something before it that speaks TLS.", err=True)
    click.echo("Ctrl-C ends it.", err=True)
