"""`Bus` over a real NATS server."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

from anyio.lowlevel import cancel_shielded_checkpoint
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from bus.account import control_of, inlet
from bus.background import background
from bus.bus import ABSENT, NO_HEADERS, Expect, Headers, Message, OnDelivery, OnMessage, Stored
from bus.claims import MAX_WHOLE, check_size, kept_apart
from bus.envelope import seal
from bus.errors import AlreadyStored, BusError, BusUnavailable, Overtaken, StoreFull, StoreRefused, TooLarge
from bus.grants import OPERATOR, SERVE
from bus.identity import Identity
from bus.nats_leader import Leader
from bus.nats_link import Link, barrier, linked, subscribe
from bus.nats_messages import IMPOSSIBLE, WRONG_LAST_SEQUENCE, NatsDelivery, last_of, message_of
from bus.nats_posting import Posting
from bus.nats_reading import Reading
from bus.nats_repeats import Repeats
from bus.provision import deliver_subject
from bus.subjects import stream_of

log = logging.getLogger(__name__)

_FULL = (10002, 10023, 10047, 10077)
"""Limits of the account, the server or a stream, and the file system's, in the numbers of JetStream's errors."""
_AT_A_STRETCH = 32
"""Deliveries after which others get a turn, so that the first answers of a burst leave before its last is read."""
_GONE_S = 60
"""How long a bucket keeps it that a key is gone: longer than any replica of a cluster lags."""


class NatsBus:
    """One identity's connection. Make it with `connect_nats`."""

    def __init__(self, link: Link, posting: Posting, leader: Leader, identity: Identity, control: str) -> None:
        self._link = link
        self._posting = posting
        self._reading = Reading(link, leader)
        self._client = link.client
        self._identity = identity
        self._signer = identity.signer()
        self.control = control
        """See `Bus.control`."""

    @property
    def identity(self) -> str:
        """The name of the identity it connected with."""
        return self._identity.name

    @property
    def pause_s(self) -> float:
        """See `Bus.pause_s`."""
        return self._link.pause_s

    async def closed(self) -> None:
        """Return when the connection is over and will not come back."""
        await self._link.closed.wait()

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
        """See `Bus.store`. Tries for half a minute; a retry that finds its own message counts as success."""
        check_size(subject, len(body))
        sealed = {**headers, **seal(self._signer, subject, body)}
        whole_body = body
        if len(body) > MAX_WHOLE:
            body, claim = await kept_apart(subject, body, self._put_chunk)
            sealed |= claim
        if expect is None:
            sealed["Nats-Msg-Id"] = secrets.token_hex(16)  # so that a retry is not kept twice
        else:
            sealed["Nats-Expected-Last-Subject-Sequence"] = str(expect.last)
            if expect.subject:
                sealed["Nats-Expected-Last-Subject-Sequence-Subject"] = expect.subject
        post = await self._posting.post(self._where(subject), body, sealed, patient=patient)
        if (error := post.answer.get("error")) is None:
            return int(post.answer["seq"])
        if error.get("err_code") != WRONG_LAST_SEQUENCE:
            raise _refusal(subject, error)
        assert expect is not None
        if post.attempts > 1:
            mine = await self._reading.newest(stream_of(subject), subject, 0 if expect.subject else last_of(error))
            if mine is not None and mine.body == whole_body:
                return mine.seq
        raise AlreadyStored(subject) if expect == ABSENT else Overtaken(subject, expect.last)

    def _where(self, subject: str) -> str:
        """Where something is published that is to be kept on `subject`."""
        if not self.control or not subject.startswith("$KV."):
            return subject
        _, bucket, key = subject.split(".", 2)
        return f"{inlet(self.control, bucket)}.{key}"

    async def stands(self, subject: str) -> bool:
        """See `Bus.stands`."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(IMPOSSIBLE)}
        answer = (await self._posting.post(subject, b"", headers)).answer
        if answer["error"].get("err_code") != WRONG_LAST_SEQUENCE:
            raise BusUnavailable(f"nobody can say what stands on {subject}: {answer['error']}")
        return last_of(answer["error"]) > 0

    async def last(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.last`."""
        return await self._reading.last(stream, subject)

    async def glance(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.glance`."""
        return await self._reading.newest(stream, subject)

    async def newest(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """See `Bus.newest`."""
        return await self._reading.newest_of(stream, subjects)

    def history(
        self, stream: str, subject: str = ">", *, after: int = 0, since: datetime | None = None, whole: bool = True
    ) -> AsyncGenerator[Stored]:
        """See `Bus.history`."""
        return self._reading.history(stream, subject, after=after, since=since, whole=whole)

    async def whole(self, message: Message) -> Message:
        """See `Bus.whole`."""
        return await self._reading.whole(message)

    async def _put_chunk(self, subject: str, data: bytes) -> None:
        post = await self._posting.post(subject, data, {"Nats-Expected-Last-Subject-Sequence": "0"})
        error = post.answer.get("error")
        if error is not None and error.get("err_code") != WRONG_LAST_SEQUENCE:
            raise _refusal(subject, error)

    @asynccontextmanager
    async def consume(self, stream: str, consumer: str, on_delivery: OnDelivery) -> AsyncGenerator[None]:
        """See `Bus.consume`. Subscribes to the deliver subject that `provision` gave this consumer."""
        subject, queue = deliver_subject(stream, consumer, self.identity)
        taken = count(1)
        repeats = Repeats(self._link, self._posting, f"result.-.{self.identity}.-")

        async def on_msg(msg: Msg) -> None:
            prefix, _, rest = msg.reply.partition(f"$JS.ACK.{stream}.{consumer}.")
            if prefix or not rest:
                log.warning("dropped a message on %s that no consumer of ours delivered", msg.subject)
                return
            attempt, seq, _, stored_ns = map(int, rest.split(".")[:4])
            repeated, stored_at = repeats.repeated(seq, attempt), datetime.fromtimestamp(stored_ns / 1e9, UTC)
            await on_delivery(NatsDelivery(message_of(msg), attempt, repeated, stored_at, self._client, msg.reply))
            if next(taken) % _AT_A_STRETCH == 0:
                await cancel_shielded_checkpoint()

        if consumer == SERVE:
            with suppress(BusError):  # the watch tries again
                await repeats.learn()
        subscription = await subscribe(self._client, subject, queue, on_msg)
        await barrier(self._client)  # whatever is sent after this point is received
        try:
            async with background(repeats.watch) if consumer == SERVE else nullcontext():  # others acknowledge nothing
                yield
        finally:
            if not self._client.is_closed:
                await subscription.unsubscribe()

    async def publish(self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, reply: str = "") -> None:
        """See `Bus.publish`."""
        try:
            await self._client.publish(subject, body, reply=reply, headers=dict(headers) or None)
        except MaxPayloadError as wrong:
            raise TooLarge(subject, len(body), self._client.max_payload) from wrong
        except (NatsError, ConnectionError) as wrong:
            raise BusUnavailable(f"not published: {subject}: {wrong!r}") from wrong

    @asynccontextmanager
    async def listen(self, subject: str, on_message: OnMessage, *, queue: str = "") -> AsyncGenerator[None]:
        """See `Bus.listen`."""

        async def on_msg(msg: Msg) -> None:
            await on_message(message_of(msg))

        subscription = await subscribe(self._client, subject, queue, on_msg)
        await barrier(self._client)  # whatever is sent after this point is received
        try:
            yield
        finally:
            if not self._client.is_closed:
                await subscription.unsubscribe()

    async def request(
        self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, timeout_s: float = 5.0
    ) -> Message:
        """See `Bus.request`."""
        try:
            answer = await self._link.request(subject, body, timeout_s=timeout_s, headers=dict(headers))
        except MaxPayloadError as wrong:
            raise TooLarge(subject, len(body), self._client.max_payload) from wrong
        except (TimeoutError, NatsError, ConnectionError) as wrong:
            raise BusUnavailable(f"nobody answered on {subject} within {timeout_s} s") from wrong
        return message_of(answer)

    async def put(self, bucket: str, key: str, value: bytes, *, ttl_s: int | None = None) -> None:
        """See `Bus.put`."""
        await self.store(f"$KV.{bucket}.{key}", value, {} if ttl_s is None else {"Nats-TTL": f"{ttl_s}s"})

    async def delete(self, bucket: str, key: str) -> None:
        """See `Bus.delete`. What is kept of that vanishes, too: a bucket of more than 1024 keys cannot be read."""
        await self.store(f"$KV.{bucket}.{key}", b"", {"KV-Operation": "DEL", "Nats-TTL": f"{_GONE_S}s"})

    async def entries(self, bucket: str) -> dict[str, Stored]:
        """See `Bus.entries`."""
        prefix = f"$KV.{bucket}."
        kept = await self._reading.newest_of_each(f"KV_{bucket}", f"{prefix}>")
        alive = (one for one in kept if "KV-Operation" not in one.headers and "Nats-Marker-Reason" not in one.headers)
        return {one.subject.removeprefix(prefix): one for one in sorted(alive, key=lambda one: one.subject)}


def _refusal(subject: str, error: dict[str, Any]) -> StoreRefused:
    """What JetStream's error means to whoever stores."""
    why = str(error.get("description", error))
    if error.get("err_code") in _FULL:
        return StoreFull(subject, why)
    return StoreRefused(subject, why, retry=error.get("code") == 503)


@asynccontextmanager
async def connect_nats(url: str, identity: Identity, *, credentials: str | None = None) -> AsyncGenerator[NatsBus]:
    """Connect with the identity's nkey, or with a `.creds` file where the server wants JWTs.

    Raises:
        BusUnavailable: nothing answers there, or the server refuses the identity.
    """
    async with linked(url, identity, credentials) as link:
        posting, leader = Posting(link), Leader(link)
        await posting.open()
        async with background(posting.run, partial(leader.watch, posting)):
            governs = identity.name == OPERATOR and not credentials  # with a JWT, it says itself what is imported
            yield NatsBus(link, posting, leader, identity, control_of(identity) if governs else "")
