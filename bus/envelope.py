"""The seal on every stored message, and the MAC on what is meant for one reader. Pure.

`Podium-Seal: <by> <at> <signature>`: the signature covers the subject, the sender, the time and the body's
sha256; the subject holds the call id, the caller and the server. So a stored message cannot be moved to another
subject, changed, or passed off as somebody else's — which the broker alone does not prevent: it does not check
the reply subject of a publish against the publisher's permissions.

`Podium-Mac: <hmac>` proves the same to its recipient alone, for a tenth of the time. So whoever acts on
a message checks the MAC, and whoever reads the ledger checks the signature (docs/decisions/0008).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from bus.bus import Headers
from bus.errors import InvalidMessage
from bus.identity import Signer, signed_by
from contracts.base import Sha256, sha256

SEAL = "Podium-Seal"
MAC = "Podium-Mac"

Roster = Mapping[str, str]
"""Identity name to nkey public key."""


def _signed_bytes(subject: str, by: str, at: str, digest: str) -> bytes:
    return "\n".join(("podium-1", subject, by, at, digest)).encode()


def seal(signer: Signer, subject: str, body: bytes) -> dict[str, str]:
    """The header that vouches for `body` on `subject`."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {SEAL: f"{signer.name} {at} {signer.sign(_signed_bytes(subject, signer.name, at, sha256(body)))}"}


def mac(key: bytes, subject: str, body: bytes) -> str:
    """The HMAC-SHA256 of `body` on `subject` under a key that sender and recipient share, hex."""
    code = hmac.new(key, b"%b\n" % subject.encode(), "sha256")
    code.update(body)  # apart, so that a large one is not copied
    return code.hexdigest()


def vouched(subject: str, body: bytes, headers: Headers, key: bytes) -> bool:
    """Whether the MAC says that the other holder of `key` sent this body on this subject."""
    said = headers.get(MAC, "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(said, mac(key, subject, body).encode())


def sender(headers: Headers) -> str:
    """Who claims to have sealed a message; empty if nobody does."""
    return headers.get(SEAL, "").partition(" ")[0]


def sealed_at(headers: Headers) -> datetime | None:
    """When its sender says that a message was sealed; None where that is no time."""
    try:
        said = datetime.fromisoformat(headers.get(SEAL, "").split(" ")[1])
    except (IndexError, ValueError):
        return None
    return said if said.tzinfo else None


def opened(subject: str, body: bytes, headers: Headers, roster: Roster) -> str:
    """The identity that sealed the message.

    Raises:
        InvalidMessage: there is no seal, the sender is not on the roster, or the signature is not the
            sender's over this subject and this body.
    """
    return opened_by_digest(subject, sha256(body), headers, roster)


def opened_by_digest(subject: str, digest: Sha256, headers: Headers, roster: Roster) -> str:
    """As `opened`, for a body of which only the sha256 is at hand."""
    parts = headers.get(SEAL, "").split(" ")
    if len(parts) != 3:
        raise InvalidMessage(subject, f"no {SEAL} header of the form `by at signature`")
    by, at, signature = parts
    public = roster.get(by)
    if public is None:
        raise InvalidMessage(subject, f"the sender {by!r} is not on the roster")
    if not signed_by(public, _signed_bytes(subject, by, at, digest), signature):
        raise InvalidMessage(subject, f"{by} did not sign this body for this subject")
    return by
