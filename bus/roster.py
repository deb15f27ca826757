"""The roster: whose public key is whose, as the operator published it, and which keys were theirs before.

An entry is one line: the key, then each earlier one as `KEY@UNTIL`. An earlier key counts for what was stored while it
was its owner's, and for a while after for what was under way; the broker lets nobody in by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import anyio

from bus.bus import NO_HEADERS, Bus, Headers, Message
from bus.claims import claim_of
from bus.envelope import MAC, mac, opened_by_digest, sealed_at, sender, vouched
from bus.errors import InvalidMessage
from contracts.base import Sha256, sha256, utc_now
from contracts.ledger import ROSTER_BUCKET

GRACE = timedelta(minutes=1)
"""For so long may a process that has its owner's earlier key finish what it is at."""
UNDER_WAY = timedelta(minutes=10)
"""For so long counts a message by an earlier key of which it is not known when it was stored."""


@dataclass(frozen=True)
class Keys:
    """Somebody's public keys."""

    public: str
    past: tuple[tuple[str, datetime], ...] = ()
    """Those they had before, and until when."""

    def entry(self) -> str:
        """As it stands in the roster."""
        return " ".join((self.public, *(f"{key}@{until.isoformat()}" for key, until in self.past)))

    @classmethod
    def parse(cls, entry: bytes) -> Keys:
        """Read an entry.

        Raises:
            ValueError: it is none.
        """
        public, *past = entry.decode().split(" ")
        told = (each.partition("@") for each in past)
        return cls(public, tuple((key, datetime.fromisoformat(until)) for key, _, until in told))

    def valid(self, at: datetime, *, stored: bool) -> Iterator[str]:
        """The keys that count for a message of that time: when it was stored, or else sealed, as its sender says."""
        yield self.public
        for key, until in self.past:
            if at <= until + GRACE and (stored or utc_now() <= until + UNDER_WAY):
                yield key


class LiveRoster:
    """Keys by identity name; read from the bus when a name comes up that is unknown, or whose key has changed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys: dict[str, Keys] = {}
        self._shared: dict[str, bytes] = {}
        self._turn = anyio.Lock()
        self._read_at = 0.0
        """When it began to be read last; `anyio.current_time()`."""

    async def vouch(self, recipient: str, subject: str, body: bytes) -> Headers:
        """The header by which `recipient` knows at once that this identity sends `body` on `subject`.

        A recipient who is not on the roster has the seal to check, as everybody has.
        """
        key = await self._key(recipient)
        return NO_HEADERS if key is None else {MAC: mac(key, subject, body)}

    async def received(self, message: Message, stored_at: datetime | None = None) -> str:
        """The identity that sent a message to this one: by its MAC, or by its seal where that does not tell.

        A body that is kept apart need not have been read; its seal tells before anything is.

        Raises:
            InvalidMessage: nobody on the roster did.
        """
        subject, body, headers = message.subject, message.body, message.headers
        by = sender(headers)
        if (claim := claim_of(message)) is not None:
            return await self.opened_by_digest(subject, claim.sha256, headers, stored_at)
        if MAC in headers and (key := await self._key(by)) is not None and vouched(subject, body, headers, key):
            return by
        # A recipient with a new key has the old one's messages, too.
        return await self.opened(subject, body, headers, stored_at)

    async def opened(self, subject: str, body: bytes, headers: Headers, stored_at: datetime | None = None) -> str:
        """The identity that sealed the message; see `bus.envelope.opened`.

        `stored_at` is when the broker stored it, where that is known.

        Raises:
            InvalidMessage: nobody on the roster sealed these bytes for this subject.
        """
        return await self.opened_by_digest(subject, sha256(body), headers, stored_at)

    async def opened_by_digest(
        self, subject: str, digest: Sha256, headers: Headers, stored_at: datetime | None = None
    ) -> str:
        """As `opened`, for a body of which only the sha256 is at hand."""
        by = sender(headers)
        await self._knows(by)
        try:
            return self._sealed(subject, digest, headers, stored_at)
        except InvalidMessage:
            before, since = self._keys.get(by), anyio.current_time()
            if before is None:
                raise
            async with self._turn:
                if self._read_at < since:  # else somebody else's message had it read meanwhile
                    await self._read()
            if self._keys.get(by) == before:
                raise
            return self._sealed(subject, digest, headers, stored_at)

    def _sealed(self, subject: str, digest: Sha256, headers: Headers, stored_at: datetime | None) -> str:
        by = sender(headers)
        keys = self._keys.get(by)
        if keys is not None and keys.past and (at := stored_at or sealed_at(headers)) is not None:
            for key in keys.valid(at, stored=stored_at is not None):
                with suppress(InvalidMessage):
                    return opened_by_digest(subject, digest, headers, {by: key})
        return opened_by_digest(subject, digest, headers, {} if keys is None else {by: keys.public})

    async def _key(self, name: str) -> bytes | None:
        if (known := self._shared.get(name)) is not None:
            return known
        if not await self._knows(name):
            return None
        try:
            return self._shared.setdefault(name, self._bus.shared_key(self._keys[name].public))
        except ValueError:  # no key at all: nobody can have sealed with it either
            return None

    async def _knows(self, name: str) -> bool:
        if name not in self._keys:
            await self._read()
        return name in self._keys

    async def _read(self) -> None:
        begun_at = anyio.current_time()
        entries, found = await self._bus.entries(ROSTER_BUCKET), dict[str, Keys]()
        for name, entry in entries.items():
            with suppress(ValueError):  # nobody's key
                found[name] = Keys.parse(entry.body)
        before, self._keys = self._keys, found
        self._shared = {name: key for name, key in self._shared.items() if self._keys.get(name) == before.get(name)}
        self._read_at = begun_at
