"""`Bus` over a real NATS server."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

import anyio
from anyio.lowlevel import cancel_shielded_checkpoint
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError

from bus.background import background
from bus.bus import ABSENT, NO_HEADERS, Expect, Headers, Message, OnDelivery, OnMessage, Stored
from bus.claims import MAX_WHOLE, check_size, kept_apart, readable, whole
from bus.envelope import seal
from bus.errors import AlreadyStored, BusUnavailable, Overtaken, StoreFull, StoreRefused, TooLarge, Unreadable
from bus.identity import Identity
from bus.nats_leader import Lag, Leader
from bus.nats_link import Link, barrier, linked, subscribe
from bus.nats_messages import NatsDelivery, last_of, message_of, stored_of
from bus.nats_posting import Posting
from bus.provision import deliver_subject
from bus.subjects import stream_of

log = logging.getLogger(__name__)

_ATTEMPT_S = 0.5
_GET_S = 30.0
_CHUNK_S = 5.0
"""For a chunk, which takes its time on a slow line: asked for again too early, it would never get through."""

_WRONG_LAST_SEQUENCE = 10071
_IMPOSSIBLE = 1 << 53
"""A sequence number that no stream has come to."""

_FULL = (10002, 10023, 10047, 10077)
"""Limits of the account, the server or a stream, and the file system's, in the numbers of JetStream's errors."""
_BATCH = 256
_BATCH_BYTES = 8 << 20
"""Read at once at most, and what goes beyond it by one message; so a long history is held in small parts."""

_AT_A_STRETCH = 32
"""Deliveries after which others get a turn, so that the first answers of a burst leave before its last is read."""


class NatsBus:
    """One identity's connection. Make it with `connect_nats`."""

    def __init__(self, link: Link, posting: Posting, leader: Leader, identity: Identity) -> None:
        self._link = link
        self._posting = posting
        self._leader = leader
        self._client = link.client
        self._identity = identity
        self._signer = identity.signer()

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
        post = await self._posting.post(subject, body, sealed, patient=patient)
        if (error := post.answer.get("error")) is None:
            return int(post.answer["seq"])
        if error.get("err_code") != _WRONG_LAST_SEQUENCE:
            raise _refusal(subject, error)
        assert expect is not None
        if post.attempts > 1:
            mine = await self._glance(stream_of(subject), subject, 0 if expect.subject else last_of(error))
            if mine is not None and (await readable(mine, self._get_chunk)).body == whole_body:
                return mine.seq
        raise AlreadyStored(subject) if expect == ABSENT else Overtaken(subject, expect.last)

    async def stands(self, subject: str) -> bool:
        """See `Bus.stands`."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(_IMPOSSIBLE)}
        answer = (await self._posting.post(subject, b"", headers)).answer
        if answer["error"].get("err_code") != _WRONG_LAST_SEQUENCE:
            raise BusUnavailable(f"nobody can say what stands on {subject}: {answer['error']}")
        return last_of(answer["error"]) > 0

    async def last(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.last`."""
        found = await self._glance(stream, subject, await self._leader.newest(stream, subject))
        return None if found is None else await readable(found, self._get_chunk)

    async def glance(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.glance`."""
        found = await self._glance(stream, subject, 0)
        return None if found is None else await readable(found, self._get_chunk)

    async def _glance(self, stream: str, subject: str, least: int) -> Stored | None:
        """The newest message on `subject`, from a replica that has come as far as message `least` there."""
        lag = Lag(stream)
        while True:
            answer = await self._direct_get(f"{stream}.{subject}")
            found = None if answer is None else stored_of(answer)
            if (found.seq if found else 0) >= least:
                return found
            await lag.wait()

    async def whole(self, message: Message) -> Message:
        """See `Bus.whole`."""
        return await whole(message, self._get_chunk)

    async def _put_chunk(self, subject: str, data: bytes) -> None:
        post = await self._posting.post(subject, data, {"Nats-Expected-Last-Subject-Sequence": "0"})
        error = post.answer.get("error")
        if error is not None and error.get("err_code") != _WRONG_LAST_SEQUENCE:
            raise _refusal(subject, error)

    async def _get_chunk(self, subject: str) -> bytes | None:
        deadline = anyio.current_time() + (_CHUNK_S if self._link.clustered else 0)
        while True:  # a replica may not have heard of it yet
            answer = await self._direct_get(f"{stream_of(subject)}.{subject}", attempt_s=_CHUNK_S)
            if answer is not None or anyio.current_time() >= deadline:
                return None if answer is None else answer.data
            await anyio.sleep(_ATTEMPT_S)

    async def _direct_get(self, what: str, *, attempt_s: float = _ATTEMPT_S) -> Msg | None:
        """The newest message of `<stream>.<subject>`."""
        for _ in range(int(_GET_S / attempt_s)):
            try:
                answer = await self._link.request(f"$JS.API.DIRECT.GET.{what}", b"", timeout_s=attempt_s)
                return answer if "Nats-Sequence" in (answer.headers or {}) else None
            except NoRespondersError as wrong:
                if not self._link.clustered:
                    raise BusUnavailable(f"no stream answers for {what}") from wrong
                await anyio.sleep(_ATTEMPT_S)  # those who hold it are on their way back
            except (TimeoutError, NatsError, ConnectionError) as wrong:
                if self._client.is_closed:
                    raise BusUnavailable(f"the connection is closed: {wrong!r}") from wrong
        raise BusUnavailable(f"the broker did not answer DIRECT.GET {what}")

    async def history(self, stream: str, subject: str = ">", *, after: int = 0) -> AsyncIterator[Stored]:
        """See `Bus.history`. Reads in batches (DIRECT.GET), so no consumer has to be made for it.

        JetStream leaves out what it cannot read, but counts it: after each batch it says how many are to come. Of a
        cluster's replicas each counts for itself, and mends itself by the others.
        """
        newest = await self._leader.newest(stream, subject)
        lag, due, lost = Lag(stream), 0, 0
        while True:
            wanted: dict[str, object] = {
                "batch": _BATCH,
                "max_bytes": _BATCH_BYTES,
                "seq": after + 1,
                "next_by_subj": subject,
            }
            batch, to_come = await self._direct_batch(stream, wanted)
            lost += 0 if self._link.clustered else max(0, due - len(batch) - to_come)
            for msg in batch:
                kept = stored_of(msg)
                yield await readable(kept, self._get_chunk)
                after = kept.seq
            due = to_come
            if due:
                lag = Lag(stream)
            elif after >= newest:
                break
            else:
                await lag.wait()
        if lost:
            raise Unreadable(stream, lost)

    async def _direct_batch(self, stream: str, wanted: dict[str, object]) -> tuple[list[Msg], int]:
        """All messages of one batched DIRECT.GET (ADR-31), and how many are to come after them.

        It is asked again when the answer breaks off.
        """
        for _ in range(int(_GET_S / 2)):
            inbox = self._client.new_inbox()
            subscription = await subscribe(self._client, inbox)
            found: list[Msg] = []
            try:
                await self._client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), reply=inbox)
                while True:
                    msg = await subscription.next_msg(timeout=2)
                    headers = msg.headers or {}
                    if "Nats-Sequence" in headers:
                        found.append(msg)
                    elif headers.get("Status") == "503":
                        if not self._link.clustered:
                            raise BusUnavailable(f"no stream {stream} answers")
                        await anyio.sleep(_ATTEMPT_S)
                        break
                    else:
                        return found, int(headers.get("Nats-Num-Pending", 0))  # 204: its end; 404: there is nothing
            except (TimeoutError, NatsError, ConnectionError) as wrong:
                if self._client.is_closed:
                    raise BusUnavailable(f"the connection is closed: {wrong!r}") from wrong
            finally:
                if not self._client.is_closed:
                    await subscription.unsubscribe()
        raise BusUnavailable(f"the broker did not answer DIRECT.GET {stream}")

    @asynccontextmanager
    async def consume(self, stream: str, consumer: str, on_delivery: OnDelivery) -> AsyncGenerator[None]:
        """See `Bus.consume`. Subscribes to the deliver subject that `provision` gave this consumer."""
        subject, queue = deliver_subject(stream, consumer, self.identity)
        taken = count(1)

        async def on_msg(msg: Msg) -> None:
            prefix, _, rest = msg.reply.partition(f"$JS.ACK.{stream}.{consumer}.")
            if prefix or not rest:
                log.warning("dropped a message on %s that no consumer of ours delivered", msg.subject)
                return
            delivery = NatsDelivery(message_of(msg), int(rest.split(".")[0]), self._client, msg.reply)
            await on_delivery(delivery)
            if next(taken) % _AT_A_STRETCH == 0:
                await cancel_shielded_checkpoint()

        subscription = await subscribe(self._client, subject, queue, on_msg)
        await barrier(self._client)  # whatever is sent after this point is received
        try:
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
        """See `Bus.delete`."""
        await self.store(f"$KV.{bucket}.{key}", b"", {"KV-Operation": "DEL"})

    async def entries(self, bucket: str) -> dict[str, bytes]:
        """See `Bus.entries`."""
        prefix = f"$KV.{bucket}."
        kept = await self._newest_of_each(f"KV_{bucket}", f"{prefix}>")
        alive = (one for one in kept if "KV-Operation" not in one.headers and "Nats-Marker-Reason" not in one.headers)
        return {one.subject.removeprefix(prefix): one.body for one in sorted(alive, key=lambda one: one.subject)}

    async def _newest_of_each(self, stream: str, subjects: str) -> list[Stored]:
        lag = Lag(stream)
        while True:
            newest = await self._leader.newest(stream, subjects)  # anew each time: it may have vanished since
            batch, _ = await self._direct_batch(stream, {"multi_last": [subjects]})
            found = [stored_of(msg) for msg in batch]
            if max((one.seq for one in found), default=0) >= newest:
                return found
            await lag.wait()


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
            yield NatsBus(link, posting, leader, identity)
