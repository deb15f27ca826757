"""Calls with their answers, bodies and all, for who works with what was said; all in memory.

Which count is as in `orchestrator.auditing.calls`, which reads ledgers of any length:

A call counts when the caller its subject names has sealed it, or when the server answered it all the same (it goes
by the MAC, see docs/decisions/0008); a result when the server has sealed it and the call stands there; of equal
subjects, the first. Anything else in a stream was put there by somebody who may not, and is foreign.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bus.bus import Bus, Stored
from bus.errors import InvalidMessage
from bus.subjects import CallSubject
from bus.wire import JsonObject
from contracts.ledger import CallRecord, server_stream
from orchestrator.auditing.records import answered, asked, message_of
from orchestrator.seals import Seals


@dataclass(frozen=True)
class Exchange:
    """A call as it is stored, and its answer, where there is one."""

    subject: CallSubject
    call: Stored
    result: Stored | None
    sealed: bool = True
    """False: its server answered it, but its caller's signature does not hold."""

    @cached_property
    def request(self) -> JsonObject:
        """The call's message; nothing where the bytes are no message: such a call was made, too, and was refused."""
        return message_of(self.call)

    @cached_property
    def answer(self) -> JsonObject:
        """The answer's message; nothing where there is none."""
        return message_of(self.result) if self.result else {}


async def exchanges(bus: Bus, servers: Iterable[str]) -> tuple[tuple[Exchange, ...], tuple[Stored, ...]]:
    """What was asked of `servers`, in the order it was stored; and the messages that are foreign."""
    seals, found, foreign = Seals(bus), list[Exchange](), list[Stored]()
    for server in sorted(set(servers)):
        calls: dict[str, Stored] = {}
        unsealed: dict[str, Stored] = {}
        results: dict[str, Stored] = {}
        async for kept in bus.history(server_stream(server)):
            by, subject = await seals.vouched_by(kept), _call(kept.subject)
            if subject is not None and subject.server == server:
                place = calls if by == subject.caller else unsealed
            elif by == server and kept.subject.startswith("begun."):
                continue  # what a server notes for itself, see `bus.lives`
            else:
                place = results if by == server else None
            if place is None or place.setdefault(kept.subject, kept) is not kept:
                foreign.append(kept)
        for call in (*calls.values(), *unsealed.values()):
            subject = CallSubject.parse(call.subject)
            result, sealed = results.pop(subject.result, None), calls.get(call.subject) is call
            if sealed or result is not None:
                found.append(Exchange(subject, call, result, sealed))
            else:
                foreign.append(call)
        foreign += results.values()
    return tuple(sorted(found, key=lambda each: each.call.stored_at)), tuple(foreign)


def _call(subject: str) -> CallSubject | None:
    try:
        return CallSubject.parse(subject)
    except InvalidMessage:
        return None


def record_of(exchange: Exchange) -> CallRecord:
    """The call as an auditor sees it."""
    record = asked(exchange.call, exchange.subject).model_copy(update={"sealed": exchange.sealed})
    return record if exchange.result is None else answered(record, exchange.result)
