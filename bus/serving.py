"""The server's side of durable calls: take from the ledger, answer into the ledger, then acknowledge.

A call is executed again after a crash unless its result is stored; so handlers are idempotent by call
id. Whatever is wrong with a message is answered, not dropped: the answer is the audit of the refusal.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import anyio.abc

from bus.background import background
from bus.bus import ABSENT, Bus, Delivery, Message
from bus.crash import crash_point
from bus.errors import AlreadyStored, BusError, InvalidMessage, StoreRefused, TooLarge
from bus.grants import SERVE
from bus.lives import FIRST, Life, Lives
from bus.mandates import LiveMandates
from bus.provision import ACK_WAIT_S
from bus.requests import respond
from bus.roster import LiveRoster
from bus.subjects import CallSubject
from bus.wire import (
    HEADER_MISMATCH,
    INVALID_REQUEST,
    Correlation,
    JsonObject,
    called_tool,
    correlation_of,
    error_response,
    failure_result,
    notification,
    parse,
    response,
)
from contracts.failure import Failure
from contracts.ledger import server_stream

log = logging.getLogger(__name__)

DRAIN_S = 3.0
"""How long a server that is told to leave may take to finish what it is at."""


_AGAIN_S = 1.0
_REMEMBERED = 1024
_FAREWELL_S = 1.0
"""How long it may take to note that a call is handed back."""


@dataclass(frozen=True)
class Incoming:
    """A request to answer, with what the broker and the signature vouch for."""

    message: JsonObject
    caller: str
    call_id: str = ""
    """Empty for requests that are not stored."""
    notify: Callable[[str, JsonObject], Awaitable[None]] | None = None
    """Sends a JSON-RPC notification that belongs to this call."""
    life: Life = FIRST
    """Which execution of the call this is; a later one means that nothing is stored of what was done before."""

    @property
    def about(self) -> Correlation:
        """What the call belongs to."""
        return correlation_of(self.message)


class Answer(Protocol):
    """Turns a request into the body of its response; never raises for what the request does."""

    async def __call__(self, incoming: Incoming) -> bytes:
        """The JSON-RPC response."""
        ...


@dataclass
class _Work:
    """A call that is being executed."""

    delivery: Delivery
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    life: Life | None = None
    """Once it is known."""


Allows = Callable[[str, str], Awaitable[bool]]
"""Whether (caller, tool) is granted: the check inside the process, for whoever reaches it past the broker."""


class Serving:
    """Serves one identity's calls and requests until cancelled or told to leave.

    How many calls run at once is the broker's to limit (`Grant.concurrency` deliveries without acknowledgement).
    """

    def __init__(self, bus: Bus, answer: Answer, allows: Allows) -> None:
        self._bus = bus
        self._answer = answer
        self._allows = allows
        self._roster = LiveRoster(bus)
        self._mandates = LiveMandates(bus, self._roster)
        self._lives = Lives(bus, self._roster)
        self._running: dict[str, _Work] = {}
        self._unwanted = OrderedDict[str, str]()
        """Who has cancelled which calls that were not under way then."""
        self._leaving = False

    @property
    def name(self) -> str:
        """The server's name."""
        return self._bus.identity

    async def run(
        self, leave: anyio.Event | None = None, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled, or until `leave` is set; `task_status` is started once deliveries flow.

        Whoever leaves takes nothing more, finishes what it is at within `DRAIN_S`, and hands the rest back.
        """
        async with (
            background(self._heartbeat),
            self._bus.listen(f"cancel.{self.name}.*.*", self._on_cancel),
        ):
            with anyio.CancelScope() as patience:
                async with anyio.create_task_group() as tasks:

                    async def on_delivery(delivery: Delivery) -> None:
                        tasks.start_soon(self._handle_call, delivery)

                    async def on_request(message: Message) -> None:
                        tasks.start_soon(respond, self._bus, message, self._answer_request)

                    async with (
                        self._bus.listen(f"rpc.{self.name}.>", on_request, queue=self.name),
                        self._bus.consume(server_stream(self.name), SERVE, on_delivery),
                    ):
                        task_status.started()
                        await (leave or anyio.Event()).wait()
                    self._leaving = True
                    patience.deadline = anyio.current_time() + DRAIN_S

    async def _answer_request(self, message: JsonObject, caller: str) -> bytes:
        return await self._answer(Incoming(message, caller))

    async def _heartbeat(self) -> None:
        while True:
            await anyio.sleep(ACK_WAIT_S / 3)
            for work in list(self._running.values()):
                await work.delivery.in_progress()

    async def _on_cancel(self, message: Message) -> None:
        _, _, caller, call_id = message.subject.split(".")
        running = self._running.get(call_id)
        if running is None:
            self._unwanted[call_id] = caller  # it may wait for its turn in the ledger
            if len(self._unwanted) > _REMEMBERED:
                self._unwanted.popitem(last=False)
        elif CallSubject.parse(running.delivery.message.subject).caller == caller:
            running.scope.cancel()

    async def _handle_call(self, delivery: Delivery) -> None:
        subject = delivery.message.subject
        try:
            call = CallSubject.parse(subject)
        except InvalidMessage as wrong:
            log.warning("rejected: %s", wrong)
            await delivery.reject(wrong.reason)
            return
        if call.call_id in self._running:
            await delivery.in_progress()
            return
        work = _Work(delivery)
        with work.scope as scope:
            self._running[call.call_id] = work
            try:
                if self._unwanted.pop(call.call_id, "") == call.caller:
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
                if delivery.repeated and await self._bus.stands(call.result):
                    await delivery.ack()
                    return
                work.life = await self._lives.begin(call, delivery.attempt) if delivery.repeated else FIRST
                await self._settle(call, work, await self._respond(call, delivery, work.life))
            except BusError as wrong:
                log.warning("%s is left for redelivery: %s", subject, wrong)
            except anyio.get_cancelled_exc_class():
                if self._leaving and not scope.cancel_called:
                    with anyio.CancelScope(shield=True):
                        await self._hand_back(call, work)
                raise
            finally:
                self._running.pop(call.call_id, None)
        if scope.cancelled_caught:
            gone = Failure(kind="unavailable", message="cancelled by its caller", retry=True)
            await self._settle(call, work, response(call.call_id, failure_result(gone)))

    async def _hand_back(self, call: CallSubject, work: _Work) -> None:
        """Give the call to whoever is there next. Where that cannot be noted, it looks like this server's death."""
        with anyio.move_on_after(_FAREWELL_S):
            try:
                if work.life is not None:
                    await self._lives.hand_back(call, work.life)
            except BusError as wrong:
                log.warning("%s is handed back without a note: %s", call, wrong)
        await work.delivery.hand_back()

    async def _settle(self, call: CallSubject, work: _Work, body: bytes) -> None:
        try:
            await self._store_result(call, body)
        except AlreadyStored:
            pass  # an earlier execution got as far as its answer
        except StoreRefused as refused:
            told = f"the answer was refused by the ledger: {refused.reason}"
            way_out = refused.way_out if isinstance(refused, TooLarge) else ""
            limit = Failure(kind="limit", message=told, way_out=way_out)
            await self._store_result(call, response(call.call_id, failure_result(limit)))
        if work.life is not None and work.life.poisoned:
            await work.delivery.reject(f"given up after {work.life.deaths} deaths")
        else:
            await work.delivery.ack()

    async def _store_result(self, call: CallSubject, body: bytes) -> None:
        """Store it, however long the ledger cannot take it: the work is done, and must not be done again for that."""
        while True:
            try:
                vouched = await self._roster.vouch(call.caller, call.result, body)
                crash_point("result.before_store")
                await self._bus.store(call.result, body, vouched, expect=ABSENT)
                crash_point("result.after_store")
                return
            except BusError as wrong:
                if not wrong.retry:
                    raise
                log.warning("the answer to %s waits for the ledger: %s", call, wrong)
            await anyio.sleep(_AGAIN_S)

    async def _respond(self, call: CallSubject, delivery: Delivery, life: Life) -> bytes:
        try:
            sender = await self._roster.received(delivery.message, delivery.stored_at)
            held = await self._bus.whole(delivery.message)
            message = parse(held.subject, held.body)
        except InvalidMessage as wrong:
            return error_response(None, INVALID_REQUEST, wrong.reason)
        request_id = message.get("id")
        if sender != call.caller or called_tool(message) != call.tool:
            told = f"the subject says {call.caller} calls {call.tool}, the body says otherwise"
            return error_response(request_id, HEADER_MISMATCH, told)
        if not await self._allows(call.caller, call.tool):
            denied = Failure(
                kind="denied",
                message=f"{call.caller} was not granted {self.name}.{call.tool}",
                way_out="Grant it in the crew file.",
            )
            return response(request_id, failure_result(denied))
        if refusal := await self._mandates.refusal(call.caller, call.tool, message):
            return response(request_id, failure_result(refusal))
        if life.poisoned:
            poisoned = Failure(
                kind="internal",
                message=f"given up: {self.name} died {life.deaths} times while working on this call",
                way_out=f"The house's log has {self.name}'s last words.",
            )
            return response(request_id, failure_result(poisoned))

        async def notify(method: str, params: JsonObject) -> None:
            await self._bus.publish(call.progress, notification(method, params))

        crash_point("execute.before")
        answer = await self._answer(Incoming(message, call.caller, call.call_id, notify, life))
        crash_point("execute.after")
        return answer
