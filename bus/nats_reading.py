"""Reading the ledger over a NATS link, past replicas that lag behind and bodies that are kept apart."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import anyio
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.bus import Message, Stored
from bus.claims import readable, whole
from bus.errors import BusUnavailable, Unreadable
from bus.nats_leader import Lag, Leader
from bus.nats_link import Link, subscribe
from bus.nats_messages import stored_of
from bus.subjects import stream_of

_ATTEMPT_S = 0.5
_GET_S = 30.0
_SILENCE_S = 2.0
_CHUNK_S = 5.0
"""For a chunk, which takes its time on a slow line: asked for again too early, it would never get through."""

_BATCH = 4096
_BATCH_BYTES = 4 << 20
"""Read at once at most, and what goes beyond it by one message; so a long history is held in small parts.

For each part the broker counts what is to come, the longer the more that is, so parts are not tiny.
"""
_SUBJECTS = 256
"""The newest on so many are asked for at once; a broker answers for 1,024 at most."""


class _Batch:
    """The answer to one batched DIRECT.GET, as it comes in."""

    def __init__(self) -> None:
        self.found: list[Msg] = []
        self._last: dict[str, str] | None = None
        self._ended = anyio.Event()

    async def take(self, msg: Msg) -> None:
        """A message, or what says that there are no more."""
        headers = msg.headers or {}
        if "Nats-Sequence" in headers:
            self.found.append(msg)
        else:
            self._last = headers
            self._ended.set()

    async def ended(self) -> dict[str, str] | None:
        """The headers of what ended it; None where it broke off."""
        seen = -1
        while self._last is None and seen != len(self.found):
            seen = len(self.found)
            with anyio.move_on_after(_SILENCE_S):
                await self._ended.wait()
        return self._last


class Reading:
    """Reads over one link. All of it by DIRECT.GET, which any replica answers and no consumer is made for."""

    def __init__(self, link: Link, leader: Leader) -> None:
        self._link = link
        self._leader = leader
        self._client = link.client

    async def last(self, stream: str, subject: str) -> Stored | None:
        """See `Bus.last`."""
        return await self.newest(stream, subject, await self._leader.newest(stream, subject))

    async def newest(self, stream: str, subject: str, least: int = 0) -> Stored | None:
        """The newest message on `subject`, from a replica that has come as far as message `least` there."""
        lag = Lag(stream)
        while True:
            answer = await self._direct_get(f"{stream}.{subject}")
            found = None if answer is None else stored_of(answer)
            if (found.seq if found else 0) >= least:
                return None if found is None else await readable(found, self._get_chunk)
            await lag.wait()

    async def newest_of_each(self, stream: str, subjects: str) -> list[Stored]:
        """The newest message on each of `subjects`."""
        lag = Lag(stream)
        while True:
            newest = await self._leader.newest(stream, subjects)  # anew each time: it may have vanished since
            batch, _ = await self._direct_batch(stream, {"multi_last": [subjects]})
            found = [stored_of(msg) for msg in batch]
            if max((one.seq for one in found), default=0) >= newest:
                return found
            await lag.wait()

    async def newest_of(self, stream: str, subjects: Sequence[str]) -> list[Stored]:
        """See `Bus.newest`. One broker's word; in a cluster it may be a replica's that lags."""
        found: list[Stored] = []
        for first in range(0, len(subjects), _SUBJECTS):
            wanted: dict[str, object] = {"multi_last": subjects[first : first + _SUBJECTS], "max_bytes": _BATCH_BYTES}
            due, seq = True, 1
            while due:
                batch, to_come = await self._direct_batch(stream, {**wanted, "batch": _SUBJECTS, "seq": seq})
                found += map(stored_of, batch)
                due, seq = bool(batch) and to_come > 0, found[-1].seq + 1 if batch else seq
        return sorted(found, key=lambda kept: kept.seq)

    async def history(
        self, stream: str, subject: str = ">", *, after: int = 0, since: datetime | None = None, whole: bool = True
    ) -> AsyncGenerator[Stored]:
        """See `Bus.history`. Reads in batches.

        JetStream leaves out what it cannot read, but counts it: after each batch it says how many are to come. Of a
        cluster's replicas each counts for itself, and mends itself by the others.
        """
        newest = await self._leader.newest(stream, subject)
        lag, due, lost = Lag(stream), 0, 0
        while True:
            wanted: dict[str, object] = {
                "batch": _BATCH,
                "max_bytes": _BATCH_BYTES,
                "next_by_subj": subject,
            }
            wanted |= {"seq": after + 1} if since is None else {"start_time": since.isoformat()}
            batch, to_come = await self._direct_batch(stream, wanted)
            lost += 0 if self._link.clustered else max(0, due - len(batch) - to_come)
            for msg in batch:
                kept = stored_of(msg)
                if kept.seq > after:
                    yield await readable(kept, self._get_chunk) if whole else kept
                    after = kept.seq
            due = to_come
            nothing = since is not None and not batch  # the newest is older, so there is nothing to wait for
            since = since if nothing else None
            if due:
                lag = Lag(stream)
            elif after >= newest or nothing:
                break
            else:
                await lag.wait()
        if lost:
            raise Unreadable(stream, lost)

    async def _direct_batch(self, stream: str, wanted: dict[str, object]) -> tuple[list[Msg], int]:
        """All messages of one batched DIRECT.GET (ADR-31), and how many are to come after them.

        It is asked again when the answer breaks off.
        """
        for _ in range(int(_GET_S / _SILENCE_S)):
            answer = _Batch()
            inbox = self._client.new_inbox()
            subscription = await subscribe(self._client, inbox, cb=answer.take)
            try:
                await self._client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), reply=inbox)
                last = await answer.ended()
            except (NatsError, ConnectionError):
                last = None
            finally:
                if not self._client.is_closed:
                    await subscription.unsubscribe()
            if self._client.is_closed:
                raise BusUnavailable("the connection is closed")
            if last is None:
                continue
            if last.get("Status") == "413":
                raise BusUnavailable(f"{stream} has more subjects than can be read at once: {last.get('Description')}")
            if last.get("Status") != "503":
                return answer.found, int(last.get("Nats-Num-Pending", 0))  # 204: its end; 404: there is nothing
            if not self._link.clustered:
                raise BusUnavailable(f"no stream {stream} answers")
            await anyio.sleep(_ATTEMPT_S)
        raise BusUnavailable(f"the broker did not answer DIRECT.GET {stream}")

    async def whole(self, message: Message) -> Message:
        """See `Bus.whole`."""
        return await whole(message, self._get_chunk)

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
