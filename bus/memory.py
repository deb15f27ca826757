"""An in-memory `Bus`: the same behaviour as a broker with the ledger's streams, in one process."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
import anyio.lowlevel

from bus.bus import ABSENT, NO_HEADERS, Expect, Headers, Message, OnDelivery, OnMessage, Stored
from bus.claims import MAX_WHOLE, check_size, kept_apart, readable, whole
from bus.envelope import seal
from bus.errors import AlreadyStored, BusUnavailable, Overtaken
from bus.identity import Identity, new_identity
from bus.subjects import matches, stream_of
from contracts.ledger import ROSTER_BUCKET


@dataclass
class _Listener:
    pattern: str
    queue: str
    on_message: OnMessage


@dataclass
class _Consumer:
    """What a durable consumer remembers between subscriptions."""

    filter: str
    after: int = 0
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    done: set[int] = field(default_factory=set[int])
    on_delivery: OnDelivery | None = None

    async def deliver(self, stream: list[Stored]) -> None:
        """Hand over what is new since the last time, if somebody is there to take it."""
        while self.on_delivery is not None and self.after < len(stream):
            kept = stream[self.after]
            self.after = kept.seq
            if kept.seq not in self.done and matches(self.filter, kept.subject):
                self.attempts[kept.seq] = attempt = self.attempts.get(kept.seq, 0) + 1
                message = Message(kept.subject, kept.body, kept.headers)
                await self.on_delivery(_MemoryDelivery(message, attempt, kept.stored_at, kept.seq, self))


@dataclass
class MemoryBroker:
    """The shared side: streams, consumers, keys. Make a `MemoryBus` per identity with `connect`."""

    streams: dict[str, list[Stored]] = field(default_factory=dict[str, list[Stored]])
    chunks: dict[str, bytes] = field(default_factory=dict[str, bytes])
    consumers: dict[tuple[str, str], _Consumer] = field(default_factory=dict[tuple[str, str], _Consumer])
    listeners: list[_Listener] = field(default_factory=list[_Listener])
    identities: dict[str, Identity] = field(default_factory=dict[str, Identity])
    keys: dict[tuple[str, str], tuple[Stored, float]] = field(
        default_factory=dict[tuple[str, str], tuple[Stored, float]]
    )

    def add_consumer(self, stream: str, name: str, filter_subject: str) -> None:
        """Provision a durable consumer."""
        self.consumers.setdefault((stream, name), _Consumer(filter_subject))

    def connect(self, identity: str) -> MemoryBus:
        """A connection under `identity`, whose key is made on first use and put on the roster."""
        known = self.identities.setdefault(identity, new_identity(identity))
        self.set(ROSTER_BUCKET, identity, known.public.encode())
        return MemoryBus(self, known)

    def set(
        self, bucket: str, key: str, value: bytes, headers: Headers = NO_HEADERS, *, ttl_s: float = math.inf
    ) -> None:
        """Set a key, whoever it is that does."""
        self.keys[bucket, key] = (self._keep(bucket, key, value, headers), time.monotonic() + ttl_s)

    def remove(self, bucket: str, key: str) -> None:
        """Remove a key; that it is gone is kept."""
        self.keys.pop((bucket, key), None)
        self._keep(bucket, key, b"", {"KV-Operation": "DEL"})

    def _keep(self, bucket: str, key: str, value: bytes, headers: Headers) -> Stored:
        stream = self.streams.setdefault(f"KV_{bucket}", [])
        kept = Stored(f"KV_{bucket}", len(stream) + 1, f"$KV.{bucket}.{key}", value, headers, datetime.now(UTC))
        stream.append(kept)
        return kept


@dataclass(frozen=True)
class _MemoryDelivery:
    message: Message
    attempt: int
    stored_at: datetime
    _seq: int
    _consumer: _Consumer

    @property
    def repeated(self) -> bool:
        return self.attempt > 1

    async def ack(self) -> None:
        self._consumer.done.add(self._seq)

    async def in_progress(self) -> None:
        """Nothing times out here."""

    async def reject(self, reason: str) -> None:
        self._consumer.done.add(self._seq)

    async def hand_back(self) -> None:
        """It comes again to the next who consumes."""


class MemoryBus:
    """One identity's view of a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker, identity: Identity) -> None:
        self._broker = broker
        self._identity = identity.name
        self._signer = identity.signer()

    @property
    def identity(self) -> str:
        """The name given at `connect`."""
        return self._identity

    @property
    def pause_s(self) -> float:
        """One broker has nobody to agree with."""
        return 0.0

    @property
    def control(self) -> str:
        """There is nothing to govern."""
        return ""

    def shared_key(self, public: str) -> bytes:
        """See `Bus.shared_key`."""
        return self._signer.shared_key(public)

    async def store(
        self,
        subject: str,
        body: bytes,
        headers: Headers = NO_HEADERS,
        *,
        expect: Expect | None = None,
        patient: bool = False,
    ) -> int:
        """See `Bus.store`."""
        await anyio.lowlevel.checkpoint()
        check_size(subject, len(body))
        sealed = {**headers, **seal(self._signer, subject, body)}
        if len(body) > MAX_WHOLE:
            body, claim = await kept_apart(subject, body, self._put_chunk)
            sealed |= claim
        stream = self._broker.streams.setdefault(stream_of(subject), [])
        if expect is not None:
            wanted = expect.subject or subject
            newest = next((kept.seq for kept in reversed(stream) if matches(wanted, kept.subject)), 0)
            if newest != expect.last:
                raise AlreadyStored(subject) if expect == ABSENT else Overtaken(subject, expect.last)
        kept = Stored(stream_of(subject), len(stream) + 1, subject, body, sealed, datetime.now(UTC))
        stream.append(kept)
        await self._spread(Message(subject, body, sealed))
        for (of, _), consumer in list(self._broker.consumers.items()):
            if of == kept.stream:
                await consumer.deliver(stream)
        return kept.seq

    async def last(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.last`."""
        await anyio.lowlevel.checkpoint()
        kept = self._broker.streams.get(stream, [])
        found = next((one for one in reversed(kept) if matches(subject, one.subject)), None)
        return None if found is None else await readable(found, self._get_chunk)

    async def whole(self, message: Message) -> Message:
        """See `Bus.whole`."""
        return await whole(message, self._get_chunk)

    async def _put_chunk(self, subject: str, data: bytes) -> None:
        self._broker.chunks.setdefault(subject, data)

    async def _get_chunk(self, subject: str) -> bytes | None:
        return self._broker.chunks.get(subject)

    async def glance(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.glance`."""
        return await self.last(stream, subject)

    async def stands(self, subject: str) -> bool:
        """See `Bus.stands`."""
        return await self.last(stream_of(subject), subject) is not None

    async def newest(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """See `Bus.newest`."""
        await anyio.lowlevel.checkpoint()
        found = {kept.subject: kept for kept in self._broker.streams.get(stream, []) if kept.subject in subjects}
        return sorted(found.values(), key=lambda kept: kept.seq)

    async def history(
        self, stream: str, subject: str = ">", *, after: int = 0, since: datetime | None = None, whole: bool = True
    ) -> AsyncGenerator[Stored]:
        """See `Bus.history`."""
        await anyio.lowlevel.checkpoint()
        for kept in list(self._broker.streams.get(stream, [])):
            begun = since is None or kept.stored_at >= since
            if kept.seq > after and begun and matches(subject, kept.subject):
                yield await readable(kept, self._get_chunk) if whole else kept

    @asynccontextmanager
    async def consume(self, stream: str, consumer: str, on_delivery: OnDelivery) -> AsyncGenerator[None]:
        """See `Bus.consume`; what was delivered and not acknowledged comes again at the next `consume`."""
        state = self._broker.consumers[stream, consumer]
        state.after, state.on_delivery = 0, on_delivery
        await state.deliver(self._broker.streams.get(stream, []))
        try:
            yield
        finally:
            state.on_delivery = None

    async def publish(self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, reply: str = "") -> None:
        """See `Bus.publish`."""
        await anyio.lowlevel.checkpoint()
        await self._spread(Message(subject, body, headers, reply))

    async def _spread(self, message: Message) -> None:
        served: set[str] = set()
        for listener in list(self._broker.listeners):
            if matches(listener.pattern, message.subject) and listener.queue not in served:
                if listener.queue:
                    served.add(listener.queue)
                await listener.on_message(message)

    @asynccontextmanager
    async def listen(self, subject: str, on_message: OnMessage, *, queue: str = "") -> AsyncGenerator[None]:
        """See `Bus.listen`."""
        await anyio.lowlevel.checkpoint()
        listener = _Listener(subject, queue, on_message)
        self._broker.listeners.append(listener)
        try:
            yield
        finally:
            self._broker.listeners.remove(listener)

    async def request(
        self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, timeout_s: float = 5.0
    ) -> Message:
        """See `Bus.request`."""
        answers: list[Message] = []
        answered = anyio.Event()

        async def on_answer(message: Message) -> None:
            answers.append(message)
            answered.set()

        inbox = f"_INBOX.{self._identity}.{time.monotonic_ns()}"
        if not any(matches(listener.pattern, subject) for listener in self._broker.listeners):
            raise BusUnavailable(f"nobody listens on {subject}")
        async with self.listen(inbox, on_answer):
            await self.publish(subject, body, headers, reply=inbox)
            with anyio.move_on_after(timeout_s):
                await answered.wait()
        if not answers:
            raise BusUnavailable(f"nobody answered on {subject} within {timeout_s} s")
        return answers[0]

    async def put(self, bucket: str, key: str, value: bytes, *, ttl_s: int | None = None) -> None:
        """See `Bus.put`."""
        await anyio.lowlevel.checkpoint()
        sealed = seal(self._signer, f"$KV.{bucket}.{key}", value)
        self._broker.set(bucket, key, value, sealed, ttl_s=math.inf if ttl_s is None else ttl_s)

    async def delete(self, bucket: str, key: str) -> None:
        """See `Bus.delete`."""
        await anyio.lowlevel.checkpoint()
        self._broker.remove(bucket, key)

    async def entries(self, bucket: str) -> dict[str, Stored]:
        """See `Bus.entries`."""
        await anyio.lowlevel.checkpoint()
        now = time.monotonic()
        return {
            key: kept for (of, key), (kept, until) in sorted(self._broker.keys.items()) if of == bucket and until > now
        }
