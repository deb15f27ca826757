"""Every call in the ledger, as an auditor sees it.

A call counts when the caller its subject names has sealed it, or when the server answered it all the same (it goes
by the MAC, see docs/decisions/0008); a result when the server has sealed it and the call stands there; of equal
subjects, the first. Anything else in a stream was put there by somebody who may not, and is foreign.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import ValidationError

from bus.bus import Bus, Stored
from bus.errors import InvalidMessage
from bus.subjects import CallSubject, untoken
from bus.wire import JsonObject, as_object, correlation_of, failure_of, parse
from contracts.base import Sha256, sha256
from contracts.failure import Failure
from contracts.ledger import RUNS_STREAM, CallRecord, server_stream
from contracts.spending import Spending
from orchestrator.seals import Seals


@dataclass(frozen=True)
class Audit:
    """Calls in the order they were stored, and how many messages are foreign."""

    calls: tuple[CallRecord, ...]
    foreign: int


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
        return _read(self.call)

    @cached_property
    def answer(self) -> JsonObject:
        """The answer's message; nothing where there is none."""
        return _read(self.result) if self.result else {}


async def audit(bus: Bus, servers: Iterable[str], run: str = "") -> Audit:
    """The calls to `servers`, of one run or (without `run`) of all."""
    found, foreign = await exchanges(bus, servers)
    denied, unsealed = await refusals(bus)
    records = sorted([*map(record_of, found), *denied], key=lambda record: record.called_at)
    # What an unsealed call says of its run proves nothing, so it is shown whatever run is asked for.
    shown = tuple(each for each in records if run in ("", each.run) or not each.sealed)
    return Audit(shown, len(foreign) + unsealed)


async def refusals(bus: Bus) -> tuple[list[CallRecord], int]:
    """What hosts asked for and were not granted, as their gateways wrote it down; and how many notes nobody sealed."""
    seals, found, foreign = Seals(bus), list[CallRecord](), 0
    async for kept in bus.history(RUNS_STREAM, "refused.>"):
        _, host, server, tool, call_id = kept.subject.split(".")
        if await seals.sealed_by(kept) != host:
            foreign += 1
            continue
        message = _read(kept)
        about = correlation_of(message)
        asked = as_object(as_object(message.get("params")).get("arguments"))
        found.append(
            CallRecord(
                call_id=call_id,
                caller=host,
                trace_id=about.trace_of(call_id),
                subject=about.subject,
                server=untoken(server),
                tool=untoken(tool),
                called_at=kept.stored_at,
                params_sha256=_digest(asked),
                seq=kept.seq,
                outcome="denied",
                failure=Failure(kind="denied", message="not granted to this host"),
            )
        )
    return found, foreign


async def exchanges(bus: Bus, servers: Iterable[str]) -> tuple[tuple[Exchange, ...], tuple[Stored, ...]]:
    """What was asked of `servers`, in the order it was stored; and the messages that are foreign."""
    seals, found, foreign = Seals(bus), list[Exchange](), list[Stored]()
    for server in sorted(set(servers)):
        calls: dict[str, Stored] = {}
        unsealed: dict[str, Stored] = {}
        results: dict[str, Stored] = {}
        async for kept in bus.history(server_stream(server)):
            by, subject = await seals.sealed_by(kept), _call(kept.subject)
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
    subject, call, result = exchange.subject, exchange.call, exchange.result
    message, answer = exchange.request, exchange.answer
    about = correlation_of(message)
    failure = failure_of(answer)
    return CallRecord(
        call_id=subject.call_id,
        run=about.run,
        step=about.step,
        trace_id=about.trace_of(subject.call_id),
        parent=about.parent,
        caller=subject.caller,
        subject=about.subject,
        server=subject.server,
        tool=subject.tool,
        called_at=call.stored_at,
        params_sha256=_digest(as_object(as_object(message.get("params")).get("arguments"))),
        seq=call.seq,
        outcome="open" if result is None else "ok" if failure is None else _outcome(failure.kind),
        result_sha256=_digest(as_object(answer.get("result")).get("structuredContent")) if result else None,
        duration_ms=(result.stored_at - call.stored_at).total_seconds() * 1000 if result else None,
        failure=failure,
        spent=spent_of(answer),
        sealed=exchange.sealed,
    )


def spent_of(answer: JsonObject) -> Spending | None:
    """What an answer says it has cost; None where it says nothing, or nothing was asked of a model."""
    failure = failure_of(answer)
    if failure is not None:
        return failure.spent
    try:
        found = Spending.model_validate(as_object(as_object(answer.get("result")).get("structuredContent"))["spent"])
    except (KeyError, ValidationError):
        return None
    return found if found.requests else None


def _read(kept: Stored) -> JsonObject:
    try:
        return parse(kept.subject, kept.body)
    except InvalidMessage:
        return {}


def _outcome(kind: str) -> Literal["failed", "denied"]:
    return "denied" if kind == "denied" else "failed"


def _digest(value: object) -> Sha256:
    """sha256 of a JSON value in compact form, keys as they came: what `contracts.base.Model.digest` gives."""
    return sha256(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
