"""The whole story of one call, or of one message of the ledger: what is stored of it, and whether it is signed."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Literal

from pydantic_core import from_json

from bus.bus import Bus, Stored
from bus.envelope import SEAL, sender
from bus.errors import BusUnavailable, InvalidMessage
from bus.lives import Life
from bus.provision import given_up
from bus.subjects import CallSubject
from bus.wire import as_object
from contracts.base import Model, Sha256, UtcTime
from contracts.ledger import RUNS_STREAM, CallRecord, server_stream
from orchestrator.auditing.records import answered, asked
from orchestrator.errors import OrchestratorError
from orchestrator.seals import Seals, bodies_given_up, said_digest

_SHOWN = 5
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,128}")


class NotFound(OrchestratorError):
    """There is no such call or message, or there are several; says what to do."""


class Part(Model):
    """One message."""

    what: Literal["request", "execution", "given up", "result", "message"]
    place: str
    """`STREAM:SEQ`."""
    subject: str
    stored_at: UtcTime
    signed_at: str
    """As its sender says; empty without a seal."""
    claims: str
    """Who says to have sealed it; empty: nobody, as with the broker's own."""
    verified: bool
    """Whether they have: their signature holds over this subject and this body."""
    bytes: int
    sha256: Sha256
    body: str
    """As it is stored, with what is not UTF-8 replaced."""


class Story(Model):
    """`podium audit show --json`."""

    record: CallRecord | None
    """The call, where it is about one."""
    deliveries: int
    """Known executions of the call: 1, unless its server noted more; progress is not stored."""
    parts: tuple[Part, ...]


async def story(bus: Bus, servers: Iterable[str], which: str) -> Story:
    """What there is of `which`: a call's id or the beginning of it, or `STREAM:SEQ`.

    Raises:
        NotFound: there is none, or several.
    """
    stream, colon, seq = which.partition(":")
    if not colon:
        return await _of_call(bus, await _call(bus, tuple(servers), which))
    kept = await _at(bus, stream, seq)
    match kept.subject.split("."):
        case ["call" | "begun", server, *_] | ["result", _, server, *_]:
            call_id = kept.subject.rpartition(".")[2]
            found = [each async for each in _calls(bus, server, call_id) if _same(each, kept.subject)]
            if found:
                return await _of_call(bus, found[0])
        case _:
            pass
    return Story(record=None, deliveries=0, parts=(await _part(Seals(bus), "message", kept),))


async def _at(bus: Bus, stream: str, seq: str) -> Stored:
    if seq.isdecimal() and _STREAM.fullmatch(stream):
        try:
            async with aclosing(bus.history(stream, after=int(seq) - 1)) as found:
                async for kept in found:
                    if kept.seq == int(seq):
                        return kept
                    break
        except BusUnavailable as wrong:
            raise NotFound(f"there is no stream {stream}: {wrong}") from wrong
    raise NotFound(f"there is no message {seq} in {stream}; `podium audit log --json` names calls by their ids")


async def _call(bus: Bus, servers: tuple[str, ...], prefix: str) -> Stored:
    found: dict[str, Stored] = {}
    for exact in (True, False) if prefix else ():
        for server in servers:
            async with aclosing(_calls(bus, server, prefix if exact else "*")) as calls:
                async for kept in calls:
                    if kept.subject.rpartition(".")[2].startswith(prefix):
                        found.setdefault(kept.subject, kept)
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            ids = [subject.rpartition(".")[2] for subject in found]
            more = ", …" if len(ids) > _SHOWN else ""
            raise NotFound(f"`{prefix}` could be {', '.join(ids[:_SHOWN])}{more}; give more of it, or STREAM:SEQ")
    raise NotFound(f"there is no call `{prefix}`; `podium audit log --kind call --json` lists their ids")


async def _calls(bus: Bus, server: str, call_id: str) -> AsyncGenerator[Stored]:
    """Calls under this id, without bodies that are kept apart."""
    if "." in call_id or " " in call_id or not call_id:
        return
    async with aclosing(bus.history(server_stream(server), f"call.{server}.*.*.{call_id}", whole=False)) as found:
        async for kept in found:
            yield kept


def _same(call: Stored, subject: str) -> bool:
    try:
        found = CallSubject.parse(call.subject)
    except InvalidMessage:
        return False
    return subject in (call.subject, found.result, found.begun)


async def _of_call(bus: Bus, call: Stored) -> Story:
    subject, seals, stream = CallSubject.parse(call.subject), Seals(bus), call.stream
    run = (await bodies_given_up(bus)).get(call.subject, "")
    record: CallRecord | None = None
    parts: list[Part] = []
    deliveries = 1
    async for kept in bus.history(stream, call.subject):
        part = await _part(seals, "request", kept)
        parts.append(part)
        if record is None or (part.verified and not record.sealed):
            record = asked(kept, subject, run).model_copy(update={"sealed": part.verified})
    async for kept in bus.history(stream, subject.begun):
        part = await _part(seals, "execution", kept, of=subject.server)
        parts.append(part)
        if part.verified:
            deliveries = max(deliveries, Life.model_validate_json(kept.body).number)
    async for kept in bus.history(RUNS_STREAM, given_up(subject.server)):
        if as_object(from_json(kept.body)).get("stream_seq") == call.seq:
            parts.append(await _part(seals, "given up", kept))
    async for kept in bus.history(stream, subject.result):
        part = await _part(seals, "result", kept, of=subject.server)
        parts.append(part)
        if part.verified and record is not None and record.outcome == "open":
            record = answered(record, kept)
    return Story(record=record, deliveries=deliveries, parts=tuple(parts))


async def _part(
    seals: Seals,
    what: Literal["request", "execution", "given up", "result", "message"],
    kept: Stored,
    *,
    of: str = "",
) -> Part:
    by = await seals.vouched_by(kept)
    entitled = of or (CallSubject.parse(kept.subject).caller if what == "request" else by)
    return Part(
        what=what,
        place=f"{kept.stream}:{kept.seq}",
        subject=kept.subject,
        stored_at=kept.stored_at,
        signed_at=[*kept.headers.get(SEAL, "").split(" "), ""][1],
        claims=sender(kept.headers),
        verified=bool(by) and by == entitled,
        bytes=len(kept.body),
        sha256=said_digest(kept),
        body=kept.body.decode(errors="replace"),
    )
