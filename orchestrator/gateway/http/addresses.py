"""Which addresses may be trusted with authorization: encrypted ones, and this machine's. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine is reached by that name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_wrong(url: str) -> str:
    """Why `url` is not one; empty when it is. OAuth 2.1, section 1.5: TLS, but on loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as wrong:
        return str(wrong)
    if parts.scheme not in ("https", "http") or not host:
        return "it is no https address"
    if parts.scheme == "http" and not is_loopback(host):
        return "it is not encrypted: only on this machine plain http will do"
    return "it has a user or a fragment" if parts.username or parts.password or parts.fragment else ""
