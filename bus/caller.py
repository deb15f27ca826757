"""Durable calls: stored first, then delivered, answered the same way, idempotent by call id."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import anyio

from bus.background import background
from bus.bus import ABSENT, Bus, Delivery, Message
from bus.crash import crash_point
from bus.errors import AlreadyStored, BusUnavailable, CallFailed, InvalidMessage, ServerGone, StoreFull, TooLarge
from bus.grants import results_consumer
from bus.registry import last_beat
from bus.roster import LiveRoster
from bus.subjects import CallSubject
from bus.waiting import OnNotification, Waiting
from bus.wire import Correlation, call_request, failure_result, parse, response, result_of
from contracts.base import Model
from contracts.failure import Failure
from contracts.ledger import AGENTS_BUCKET, server_stream

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Model)

OnProgress = Callable[[float, float | None, str], Awaitable[None]]
"""Receives (done, total, message)."""

FIRST_SILENCE_S = 1.0
"""How long a call is silent before it is looked after; each time it is, twice as long."""
_LONGEST_SILENCE_S = 10.0
PATIENCE_S = 120.0
"""How long a server may be away, be it to be started again, before whoever waits for it is told."""
CLIENTS_PATIENCE_S = 30.0
"""The same for MCP clients, who do not wait for long."""
STUCK_S = 60.0
"""For how long a server that is there may have had no heartbeat taken: the registry forgets it within seconds, unless
the broker can store nothing. A broker whose disk is full says nothing about it, and answers whoever reads."""
_CROWD = 4
"""With more calls under way than this, throughput counts more than the tenth of a millisecond of one call."""


class Calls(Protocol):
    """What the engine needs of the bus to have work done."""

    async def call(
        self,
        server: str,
        tool: str,
        params: Model,
        result: type[R],
        *,
        call_id: str,
        run: str,
        step: str,
        on_progress: OnProgress | None = None,
    ) -> R:
        """Have `server` run `tool`, once per `call_id` whatever happens; an answer that is already stored is returned.

        Raises:
            CallFailed: the tool answered with a failure, or the call is too large to be made.
            StoreRefused: the call could not be stored; it was not made.
            ServerGone: nobody is there to answer; made again under its id, it is waited for again.
            BusUnavailable: the broker is gone.
        """
        ...


def new_call_id() -> str:
    """128 random bits, hex."""
    return secrets.token_hex(16)


@dataclass
class _Channel:
    """One server's results and notifications for this caller."""

    server: str
    waiting: dict[str, Waiting] = field(default_factory=dict[str, Waiting])


class Caller:
    """Makes durable calls under the bus's identity. Make it with `open_caller`."""

    def __init__(self, bus: Bus, opened: AsyncExitStack) -> None:
        self._bus = bus
        self._opened = opened
        self._roster = LiveRoster(bus)
        self._channels: dict[str, _Channel] = {}
        self._opening = anyio.Lock()

    @property
    def identity(self) -> str:
        """Under whose name calls are made."""
        return self._bus.identity

    async def call(
        self,
        server: str,
        tool: str,
        params: Model,
        result: type[R],
        *,
        call_id: str,
        run: str = "",
        step: str = "",
        on_progress: OnProgress | None = None,
    ) -> R:
        """See `Calls.call`."""
        subject = CallSubject(server, tool, self.identity, call_id)
        body = call_request(call_id, tool, params, Correlation(run, step))
        on_notification = None if on_progress is None else _progress_to(on_progress)
        try:
            answer = await self.exchange(subject, body, on_notification=on_notification)
        except TooLarge as wrong:
            raise CallFailed(server, tool, wrong.failure) from wrong
        return result_of(server, tool, answer, result)

    async def exchange(
        self,
        subject: CallSubject,
        body: bytes,
        *,
        on_notification: OnNotification | None = None,
        for_client: bool = False,
    ) -> bytes:
        """Store a request and return the body of its stored response, however long that takes.

        An abandoned call runs on, and its result can be had later by its id. `for_client` is for calls of MCP clients,
        who know no ids: theirs are cancelled when they are abandoned, and sooner given up where nobody is there.

        Raises:
            StoreRefused, BusUnavailable: see `Bus.store`.
            StoreFull: the broker stores nothing any more, so that no answer can come; the call may be stored.
            ServerGone: the server has left the crew for longer than `PATIENCE_S`, or `CLIENTS_PATIENCE_S`.
        """
        channel = await self._channel(subject.server)
        waiting = Waiting(subject, anyio.current_time() + FIRST_SILENCE_S, FIRST_SILENCE_S, for_client)
        waiting = channel.waiting.setdefault(subject.call_id, waiting)
        try:
            try:
                vouched = await self._roster.vouch(subject.server, str(subject), body)
                patient = len(channel.waiting) > _CROWD
                crash_point("call.before_store")
                await self._bus.store(str(subject), body, vouched, expect=ABSENT, patient=patient)
                crash_point("call.after_store")
            except AlreadyStored:
                await self._look(waiting)
            answer = await waiting.answered(on_notification)
            crash_point("call.answered")
            return await self._body(answer, subject.call_id)
        except anyio.get_cancelled_exc_class():
            if for_client:
                with anyio.CancelScope(shield=True):
                    await self._bus.publish(subject.cancel, b"")
            raise
        finally:
            channel.waiting.pop(subject.call_id, None)

    async def _body(self, result: Message, call_id: str) -> bytes:
        """Of a result that its server sealed; a failure where it cannot be read, since no other will come."""
        try:
            return (await self._bus.whole(result)).body
        except InvalidMessage as wrong:
            lost = Failure(kind="internal", message=f"the answer is stored, but cannot be read: {wrong.reason}")
            return response(call_id, failure_result(lost))

    async def watch(self) -> None:
        """Look after every call that has been silent for long, until cancelled."""
        while True:
            await anyio.sleep(FIRST_SILENCE_S / 4)
            now = anyio.current_time()
            silent = [one for of in self._channels.values() for one in of.waiting.values() if one.look_at < now]
            for waiting in silent:
                waiting.silence_s = min(waiting.silence_s * 2, _LONGEST_SILENCE_S)
                waiting.look_at = now + waiting.silence_s
                try:
                    await self._look(waiting)
                    if waiting.result is None:
                        await self._look_for_server(waiting, now)
                except BusUnavailable as wrong:
                    log.warning("still waiting for %s: %s", waiting.subject, wrong)

    async def _look(self, waiting: Waiting) -> None:
        """Take the result from the ledger, in case its delivery was missed."""
        server = waiting.subject.server
        kept = await self._bus.glance(server_stream(server), waiting.subject.result)
        if kept is not None:
            await self._arrived(waiting, Message(kept.subject, kept.body, kept.headers), kept.stored_at)

    async def _look_for_server(self, waiting: Waiting, now: float) -> None:
        """Give the call up if nobody has been there to answer it for long, or nobody can."""
        server = waiting.subject.server
        if any(key.partition(".")[0] == server for key in await self._bus.entries(AGENTS_BUCKET)):
            waiting.away_since = None
            beat = await last_beat(self._bus, server)
            if beat != waiting.beat[0]:
                waiting.beat = (beat, now)
            elif (silent_s := now - waiting.beat[1]) > STUCK_S:
                told = f"the broker has taken no heartbeat of {server} for {silent_s:.0f} s"
                waiting.hopeless = StoreFull(waiting.subject.result, told)
                waiting.tell()
        elif waiting.away_since is None:
            waiting.away_since = now
        elif now - waiting.away_since > (CLIENTS_PATIENCE_S if waiting.for_client else PATIENCE_S):
            waiting.hopeless = ServerGone(server, now - waiting.away_since)
            waiting.tell()

    async def _arrived(self, waiting: Waiting, message: Message, stored_at: datetime) -> None:
        server = waiting.subject.server
        try:
            sender = await self._roster.received(message, stored_at)
        except InvalidMessage as wrong:
            log.warning("dropped a result: %s", wrong)
            return
        if sender != server:
            log.warning("dropped a result on %s: it was sealed by %s, not %s", message.subject, sender, server)
            return
        waiting.result = message
        waiting.tell()

    async def _channel(self, server: str) -> _Channel:
        if (ready := self._channels.get(server)) is not None:
            return ready
        async with self._opening:
            if (ready := self._channels.get(server)) is not None:
                return ready
            channel = _Channel(server)

            async def on_delivery(delivery: Delivery) -> None:
                waiting = channel.waiting.get(delivery.message.subject.rpartition(".")[2])
                if waiting is not None and waiting.result is None:
                    await self._arrived(waiting, delivery.message, delivery.stored_at)

            async def on_notification(message: Message) -> None:
                waiting = channel.waiting.get(message.subject.rpartition(".")[2])
                if waiting is not None:  # even with its result: the two come on subscriptions that are read in turn
                    waiting.notifications.append(message.body)
                    waiting.tell()

            consumer = results_consumer(self.identity)
            await self._opened.enter_async_context(self._bus.consume(server_stream(server), consumer, on_delivery))
            progress = f"progress.{self.identity}.{server}.*"
            await self._opened.enter_async_context(self._bus.listen(progress, on_notification))
            self._channels[server] = channel
            return channel


def _progress_to(on_progress: OnProgress) -> OnNotification:
    async def on_notification(body: bytes) -> None:
        message = parse("progress", body)
        if message.get("method") == "notifications/progress":
            told = message.get("params", {})
            await on_progress(float(told.get("progress", 0)), told.get("total"), str(told.get("message") or ""))

    return on_notification


@asynccontextmanager
async def open_caller(bus: Bus) -> AsyncGenerator[Caller]:
    """A caller for as long as the block runs."""
    async with AsyncExitStack() as opened:
        caller = Caller(bus, opened)
        async with background(caller.watch):
            yield caller
