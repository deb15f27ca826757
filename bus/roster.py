"""The roster: whose public key is whose, as the operator published it."""

from __future__ import annotations

from bus.bus import NO_HEADERS, Bus, Headers, Message
from bus.claims import claim_of
from bus.envelope import MAC, mac, opened_by_digest, sender, vouched
from contracts.base import Sha256, sha256
from contracts.ledger import ROSTER_BUCKET


class LiveRoster:
    """Public keys by identity name; read from the bus when an unknown name comes up."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._public: dict[str, str] = {}
        self._shared: dict[str, bytes] = {}

    async def vouch(self, recipient: str, subject: str, body: bytes) -> Headers:
        """The header by which `recipient` knows at once that this identity sends `body` on `subject`.

        A recipient who is not on the roster has the seal to check, as everybody has.
        """
        key = await self._key(recipient)
        return NO_HEADERS if key is None else {MAC: mac(key, subject, body)}

    async def received(self, message: Message) -> str:
        """The identity that sent a message to this one: by its MAC, or by its seal where that does not tell.

        A body that is kept apart need not have been read; its seal tells before anything is.

        Raises:
            InvalidMessage: nobody on the roster did.
        """
        subject, body, headers = message.subject, message.body, message.headers
        by = sender(headers)
        if (claim := claim_of(message)) is not None:
            await self._knows(by)
            return opened_by_digest(subject, claim.sha256, headers, self._public)
        if MAC in headers and (key := await self._key(by)) is not None and vouched(subject, body, headers, key):
            return by
        return await self.opened(subject, body, headers)  # a recipient with a new key has the old one's messages, too

    async def opened(self, subject: str, body: bytes, headers: Headers) -> str:
        """The identity that sealed the message; see `bus.envelope.opened`.

        Raises:
            InvalidMessage: nobody on the roster sealed these bytes for this subject.
        """
        return await self.opened_by_digest(subject, sha256(body), headers)

    async def opened_by_digest(self, subject: str, digest: Sha256, headers: Headers) -> str:
        """As `opened`, for a body of which only the sha256 is at hand."""
        await self._knows(sender(headers))
        return opened_by_digest(subject, digest, headers, self._public)

    async def _key(self, name: str) -> bytes | None:
        if (known := self._shared.get(name)) is not None:
            return known
        if not await self._knows(name):
            return None
        try:
            return self._shared.setdefault(name, self._bus.shared_key(self._public[name]))
        except ValueError:  # no key at all: nobody can have sealed with it either
            return None

    async def _knows(self, name: str) -> bool:
        if name not in self._public:
            entries = await self._bus.entries(ROSTER_BUCKET)
            self._public = {name: public.decode() for name, public in entries.items()}
        return name in self._public
