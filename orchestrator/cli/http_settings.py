"""From what a person typed to how the gateway is served over HTTP. Pure; nothing is opened, nothing is asked."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.trouble import trouble
from orchestrator.gateway.http.addresses import address_wrong, is_loopback

DEFAULT_PORT = 8765


@dataclass(frozen=True)
class HttpSettings:
    """Where to listen, and who is let in: an issuer's tokens, one token of the person's own, or everybody."""

    address: str
    port: int
    hosts: tuple[str, ...] = ()
    """`Host` headers to answer beside this machine's own names."""
    open: bool = False
    token_file: Path | None = None
    """None: where Podium keeps its own."""
    issuer: str = ""
    audience: str = ""
    jwks: str = ""
    """URL or file; empty: where the issuer's metadata say."""


def http_settings(
    *,
    bind: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    allow_host: tuple[str, ...] = (),
    no_auth: bool = False,
    token_file: Path | None = None,
    issuer: str = "",
    audience: str = "",
    jwks: str = "",
) -> HttpSettings:
    """The settings, if they make sense and are safe.

    Raises:
        Trouble: they are not.
    """
    address = "127.0.0.1" if bind == "localhost" else bind
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise trouble(
            f"--bind {bind} is no address.", "Write one of this machine's, such as 0.0.0.0.", code=2
        ) from None
    if sum((no_auth, token_file is not None, bool(issuer))) > 1:
        raise trouble("--no-auth, --token-file and --issuer exclude each other.", "Say one of them.", code=2)
    if no_auth and not is_loopback(address):
        raise trouble(
            f"--no-auth would let everybody in who reaches {address}.",
            "Leave --bind out, or have people prove who they are: --issuer, or the token that is made without it.",
            code=2,
        )
    if bool(issuer) != bool(audience):
        raise trouble(
            "--issuer and --audience belong together.",
            "--audience is the URL of this server as its clients know it: tokens have to be for it.",
            code=2,
        )
    if jwks and not issuer:
        raise trouble("--jwks says where an issuer's keys are.", "Say which: --issuer URL.", code=2)
    urls = {"--issuer": issuer, "--audience": audience, "--jwks": jwks if "://" in jwks else ""}
    for option, url in urls.items():
        if url and (wrong := address_wrong(url)):
            raise trouble(f"{option} {url}: {wrong}.", "Write https://…", code=2)
    return HttpSettings(
        address, port, _hosts(address, audience, allow_host), no_auth, token_file, issuer, audience, jwks
    )


def _hosts(address: str, audience: str, more: tuple[str, ...]) -> tuple[str, ...]:
    own = f"[{address}]" if ":" in address else address
    public = audience.partition("://")[2].partition("/")[0]
    names = (*(() if ipaddress.ip_address(address).is_unspecified else (own,)), public, *more)
    return tuple(dict.fromkeys(name for name in names if name))
