"""The signed envelope around every stored message. Pure.

The signature covers the subject, the time and the body's sha256; the subject holds the call id, the
caller and the server. So a stored message cannot be moved to another subject, changed, or passed off
as somebody else's — which the broker alone does not prevent: it does not check the reply subject of
a publish against the publisher's permissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bus.bus import Headers
from bus.errors import InvalidMessage
from bus.identity import Signer, signed_by
from contracts.base import sha256

BY = "Podium-By"
AT = "Podium-At"
DIGEST = "Podium-Sha256"
SIGNATURE = "Podium-Signature"

Roster = Mapping[str, str]
"""Identity name to nkey public key."""


def _signed_bytes(subject: str, by: str, at: str, digest: str) -> bytes:
    return "\n".join(("podium-1", subject, by, at, digest)).encode()


def seal(signer: Signer, subject: str, body: bytes) -> dict[str, str]:
    """Headers that vouch for `body` on `subject`."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    digest = sha256(body)
    return {
        BY: signer.name,
        AT: at,
        DIGEST: digest,
        SIGNATURE: signer.sign(_signed_bytes(subject, signer.name, at, digest)),
    }


def opened(subject: str, body: bytes, headers: Headers, roster: Roster) -> str:
    """The identity that sealed the message.

    Raises:
        InvalidMessage: a part is missing, the digest is of another body, the sender is not on the
            roster, or the signature is not the sender's.
    """
    try:
        by, at, digest, signature = headers[BY], headers[AT], headers[DIGEST], headers[SIGNATURE]
    except KeyError as missing:
        raise InvalidMessage(subject, f"no {missing.args[0]} header") from None
    if digest != sha256(body):
        raise InvalidMessage(subject, "the body is not the one that was signed")
    public = roster.get(by)
    if public is None:
        raise InvalidMessage(subject, f"the sender {by!r} is not on the roster")
    if not signed_by(public, _signed_bytes(subject, by, at, digest), signature):
        raise InvalidMessage(subject, f"the signature is not {by}'s")
    return by
