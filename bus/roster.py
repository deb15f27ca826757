"""The roster: whose public key is whose, as the operator published it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bus.bus import Bus, Headers
from bus.envelope import opened, sender
from contracts.ledger import ROSTER_BUCKET


class LiveRoster(Mapping[str, str]):
    """Identity name to public key; read from the bus when an unknown name comes up."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._keys: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    async def opened(self, subject: str, body: bytes, headers: Headers) -> str:
        """The identity that sealed the message; see `bus.envelope.opened`.

        Raises:
            InvalidMessage: nobody on the roster sealed these bytes for this subject.
        """
        if sender(headers) not in self._keys:
            entries = await self._bus.entries(ROSTER_BUCKET)
            self._keys = {name: public.decode() for name, public in entries.items()}
        return opened(subject, body, headers, self._keys)
