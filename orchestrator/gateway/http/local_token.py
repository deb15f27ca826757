"""The local case: one token in a file of the person's own, made here, for programs that run as them."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from mcp.server.auth.provider import AccessToken

from orchestrator.errors import ConfigError
from orchestrator.gateway.http.guard import Unacceptable
from orchestrator.gateway.reach import CALL

_LEAST = 32
"""Characters of a token that somebody wrote themselves."""


def local_token(file: Path) -> tuple[str, bool]:
    """The token in `file`, and whether it was made just now.

    Raises:
        ConfigError: others can read the file, or what is in it is too short to be a secret.
        OSError: it can be neither read nor made.
    """
    fresh = _made(file)
    with file.open("rb") as opened:
        mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        token = opened.read(4096).decode("ascii", "replace").strip()
    if mode & 0o077:
        raise ConfigError(str(file), "", f"its mode is {mode:o}: others can use it", f"chmod 600 {file}")
    if len(token) < _LEAST or not (token.isascii() and token.isprintable()) or " " in token:
        reason = f"a token of at least {_LEAST} visible characters was expected"
        raise ConfigError(str(file), "", reason, "Delete the file, and one is made.")
    return token, fresh


def _made(file: Path) -> bool:
    """Put a token where there is none; the file is there whole or not at all."""
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as opened:
            opened.write(secrets.token_urlsafe(32) + "\n")
        os.link(name, file)
    except FileExistsError:
        return False  # somebody was quicker
    finally:
        os.unlink(name)
    return True


class LocalToken:
    """Knows the token."""

    def __init__(self, token: str) -> None:
        self._digest = _digest(token)

    async def verify(self, token: str) -> AccessToken:
        """See `Verifier`. Whoever holds it may all that the gateway may."""
        if not secrets.compare_digest(_digest(token), self._digest):
            raise Unacceptable("this is not the token of this server")
        return AccessToken(token="", client_id="local", scopes=[CALL])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
