"""The seam: what Podium asks of a message bus that keeps what it carries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

Headers = Mapping[str, str]

NO_HEADERS: Headers = {}


@dataclass(frozen=True)
class Message:
    """A message that is not kept."""

    subject: str
    body: bytes
    headers: Headers = field(default_factory=dict[str, str])
    reply: str = ""


@dataclass(frozen=True)
class Stored:
    """A message of the ledger."""

    stream: str
    seq: int
    subject: str
    body: bytes
    headers: Headers
    stored_at: datetime


@dataclass(frozen=True)
class Expect:
    """A condition the broker checks in the same step in which it stores (optimistic concurrency).

    `last` is the sequence number of the newest message that matches `subject` (0: there is none yet).
    Without `subject` it speaks of the subject that is written.
    """

    last: int = 0
    subject: str = ""


ABSENT = Expect(last=0)
"""Store only if nothing stands on this subject yet."""


class Delivery(Protocol):
    """A stored message handed to a durable consumer; redelivered until acknowledged."""

    @property
    def message(self) -> Message:
        """What was stored."""
        ...

    @property
    def attempt(self) -> int:
        """1 for the first delivery, as far as the broker remembers."""
        ...

    @property
    def repeated(self) -> bool:
        """Whether it may have been delivered before, to whomever: a broker that was killed may not remember."""
        ...

    @property
    def stored_at(self) -> datetime:
        """When the broker stored it."""
        ...

    async def ack(self) -> None:
        """It is dealt with: never deliver it again."""
        ...

    async def in_progress(self) -> None:
        """Still at work: do not redeliver yet."""
        ...

    async def reject(self, reason: str) -> None:
        """It can never be dealt with: do not deliver it again. The broker puts that, and the reason, on the ledger."""
        ...

    async def hand_back(self) -> None:
        """Not by me: deliver it again at once, to whoever is there."""
        ...


OnDelivery = Callable[[Delivery], Awaitable[None]]
OnMessage = Callable[[Message], Awaitable[None]]


class Bus(Protocol):
    """One identity's connection. Callbacks run one at a time and must not block: spawn."""

    @property
    def identity(self) -> str:
        """The name the broker knows this connection by."""
        ...

    @property
    def pause_s(self) -> float:
        """For how long nothing may be stored or told although nothing is lost: while a cluster agrees on who leads.

        0 with a single broker. Whatever is judged by silence has to allow for it.
        """
        ...

    @property
    def control(self) -> str:
        """Begins the subjects by which the operator governs the broker (`bus.account`); empty for everybody else."""
        ...

    def shared_key(self, public: str) -> bytes:
        """A secret of this identity and the holder of `public`; see `bus.identity.Signer.shared_key`."""
        ...

    async def store(
        self,
        subject: str,
        body: bytes,
        headers: Headers = NO_HEADERS,
        *,
        expect: Expect | None = None,
        patient: bool = False,
    ) -> int:
        """Keep a message; returns its sequence number once the broker has it.

        A `patient` message may wait a moment for others to leave with: what a message costs then is shared.

        A body that is too large for a message is kept apart (see `bus.claims`): first it, then the message that
        names it. Whoever reads the ledger is given it back whole.

        Raises:
            AlreadyStored: `expect` is `ABSENT` and a message stands there.
            Overtaken: any other `expect` does not hold.
            TooLarge: larger than `bus.claims.MAX_BODY`; nothing was sent.
            StoreRefused: full or not permitted.
            BusUnavailable: no acknowledgement in time; it may have been stored all the same.
        """
        ...

    async def last(self, stream: str, subject: str) -> Stored | None:
        """The newest stored message on `subject`, which may be a pattern, for who may read the whole stream.

        A body that is kept apart and cannot be had, or is another one, is not put in: what stands for it is left, and
        nobody has sealed that.

        Raises:
            BusUnavailable: nobody can say.
        """
        ...

    async def glance(self, stream: str, subject: str) -> Stored | None:
        """Like `last`, for who may read this subject only.

        In a cluster it may be older than the newest, so None says only that nothing is to be seen yet.
        """
        ...

    async def stands(self, subject: str) -> bool:
        """Whether anything is stored on exactly `subject`, for who may store there.

        Raises:
            StoreRefused: not permitted.
            BusUnavailable: nobody can say.
        """
        ...

    async def newest(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """The newest message on each of `subjects`, in the order they were stored, for who may read the whole stream.

        Bodies that are kept apart are not read.
        """
        ...

    def history(
        self, stream: str, subject: str = ">", *, after: int = 0, since: datetime | None = None, whole: bool = True
    ) -> AsyncGenerator[Stored]:
        """Stored messages that match `subject`, oldest first, from beyond sequence `after` to the present.

        `since`: only what was stored then or later, by the broker's clock; what stands before that is not even read.
        Where that clock was set back, some of it may be left out: not for whoever has to have all of it.

        Bodies that are kept apart are read one at a time, as in `last`; unless `whole`, what stands for them is left.

        Raises:
            Unreadable: after the last one, where some of them could not be read.
        """
        ...

    def consume(self, stream: str, consumer: str, on_delivery: OnDelivery) -> AbstractAsyncContextManager[None]:
        """Take deliveries from a durable consumer that was provisioned for this identity.

        A body that is kept apart is not read for that; `whole` reads it.
        """
        ...

    async def whole(self, message: Message) -> Message:
        """A stored message with its body, where that is kept apart.

        Raises:
            InvalidMessage: the body is not there, or is not what the message says.
            BusUnavailable: no answer.
        """
        ...

    async def publish(self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, reply: str = "") -> None:
        """Send without keeping.

        Raises:
            TooLarge: larger than a message may be; nothing was sent.
            BusUnavailable: the connection is over.
        """
        ...

    def listen(self, subject: str, on_message: OnMessage, *, queue: str = "") -> AbstractAsyncContextManager[None]:
        """Receive what is published on `subject` from now on."""
        ...

    async def request(
        self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, timeout_s: float = 5.0
    ) -> Message:
        """Ask and wait for one answer; nothing is kept.

        Raises:
            TooLarge: larger than a message may be; nothing was sent.
            BusUnavailable: nobody answered in time.
        """
        ...

    async def put(self, bucket: str, key: str, value: bytes, *, ttl_s: int | None = None) -> None:
        """Set a key; with `ttl_s` it vanishes unless set again."""
        ...

    async def delete(self, bucket: str, key: str) -> None:
        """Remove a key."""
        ...

    async def entries(self, bucket: str) -> dict[str, Stored]:
        """All keys that are there now, with what was set last."""
        ...
