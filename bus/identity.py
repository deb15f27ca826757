"""Identities: one nkey (Ed25519) pair per process, kept in the state directory, readable by its owner only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import nkeys
from nacl.bindings import (
    crypto_scalarmult,
    crypto_sign,
    crypto_sign_BYTES,
    crypto_sign_ed25519_pk_to_curve25519,
    crypto_sign_ed25519_sk_to_curve25519,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError, CryptoError

from bus.whole_file import put
from contracts.base import utc_now


@dataclass(frozen=True)
class Identity:
    """A name and its private key."""

    name: str
    seed: str

    @property
    def public(self) -> str:
        """The nkey public key (`U…`)."""
        return nkeys.from_seed(bytearray(self.seed.encode())).public_key.decode()

    def derived(self, purpose: str) -> str:
        """A secret for one purpose that only who has the key can work out: 128 bits in hex."""
        return hmac.new(self.seed.encode(), f"podium-{purpose}-1".encode(), hashlib.sha256).hexdigest()[:32]

    def signer(self) -> Signer:
        """Something that signs with this key."""
        _, raw = nkeys.decode_seed(bytearray(self.seed.encode()))
        return Signer(self.name, crypto_sign_seed_keypair(bytes(raw))[1])


class Signer:
    """Signs on behalf of one identity."""

    def __init__(self, name: str, key: bytes) -> None:
        self.name = name
        self._key = key

    def sign(self, data: bytes) -> str:
        """Ed25519 signature, base64."""
        return base64.b64encode(crypto_sign(data, self._key)[:crypto_sign_BYTES]).decode()

    def shared_key(self, public: str) -> bytes:
        """32 bytes that only this identity and the holder of `public` can compute (X25519; RFC 7748).

        Raises:
            ValueError: `public` is no nkey public key.
        """
        try:
            theirs = crypto_sign_ed25519_pk_to_curve25519(_verify_key(public))
            secret = crypto_scalarmult(crypto_sign_ed25519_sk_to_curve25519(self._key), theirs)
        except (CryptoError, ValueError) as wrong:
            raise ValueError(f"not an nkey public key: {public!r}") from wrong
        return hashlib.sha256(b"podium-mac-1\n" + secret).digest()


def new_identity(name: str) -> Identity:
    """A fresh key pair."""
    return Identity(name, nkeys.encode_seed(os.urandom(32), prefix=nkeys.PREFIX_BYTE_USER).decode())


def load_identity(folder: Path, name: str) -> Identity:
    """The identity kept in `folder`, made on first use; file mode 0600.

    Raises:
        OSError: the folder cannot be read or written.
    """
    path = folder / f"{name}.nk"
    try:
        return Identity(name, path.read_text().strip())
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = new_identity(name)
    draft = _draft(folder, fresh)
    try:
        os.link(draft, path)
    except FileExistsError:
        return load_identity(folder, name)
    finally:
        draft.unlink()
    return fresh


def rotate_identity(folder: Path, name: str) -> Identity:
    """Give `name` another key; the public half of the one it had is noted in `NAME.past`, with the time.

    Raises:
        OSError: the folder cannot be read or written; the key is as it was.
    """
    old, fresh = load_identity(folder, name), new_identity(name)
    draft = _draft(folder, fresh)
    put(_past_file(folder, name), (_past_text(folder, name) + f"{old.public} {utc_now().isoformat()}\n").encode())
    draft.replace(folder / f"{name}.nk")
    return fresh


def key_age(folder: Path, name: str) -> timedelta:
    """How long `name` has had its key; nothing where it has none yet."""
    try:
        made = (folder / f"{name}.nk").stat().st_mtime
    except FileNotFoundError:
        return timedelta()
    return utc_now() - datetime.fromtimestamp(made, UTC)


def past_keys(folder: Path, name: str) -> tuple[tuple[str, datetime], ...]:
    """The public keys that `name` had before, oldest first, and until when.

    Raises:
        OSError: they cannot be read.
    """
    told = (line.split() for line in _past_text(folder, name).splitlines())
    return tuple((key, datetime.fromisoformat(until)) for key, until in told)


def _past_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.past"


def _past_text(folder: Path, name: str) -> str:
    try:
        return _past_file(folder, name).read_text()
    except FileNotFoundError:
        return ""


def _draft(folder: Path, identity: Identity) -> Path:
    draft = folder / f".{identity.name}.{os.getpid()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(identity.seed + "\n")
        file.flush()
        os.fsync(fd)  # a power cut must not leave a name without its key
    return draft


@lru_cache(maxsize=256)
def _verify_key(public: str) -> bytes:
    return base64.b32decode(public + "=" * (-len(public) % 8))[1:33]


def signed_by(public: str, data: bytes, signature: str) -> bool:
    """Whether `signature` over `data` was made with the private half of `public`."""
    try:
        crypto_sign_open(base64.b64decode(signature, validate=True) + data, _verify_key(public))
    except (BadSignatureError, ValueError):
        return False
    return True
