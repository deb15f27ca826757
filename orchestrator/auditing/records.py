"""From messages of the ledger to records of the audit. Pure; who sealed a message is for the reader to find out."""

from __future__ import annotations

import json
from dataclasses import replace

from pydantic import ValidationError
from pydantic_core import from_json

from bus.bus import Stored
from bus.claims import CLAIM, claim_of
from bus.errors import InvalidMessage
from bus.grants import BROKER, OPERATOR
from bus.subjects import CallSubject, untoken
from bus.wire import JsonObject, as_object, correlation_of, failure_of, parse
from contracts.base import Sha256, sha256
from contracts.crew_note import Granted, Pinned
from contracts.failure import Failure
from contracts.gate import GateDecision
from contracts.ledger import CallOutcome, CallRecord, Denial, Denials, Note
from contracts.spending import Spending
from contracts.trace import trace_of_call
from orchestrator.seals import ORCHESTRATOR, may_decide
from orchestrator.text import count

TOLD_OTHERWISE = frozenset(
    {"step-started", "step-finished", "call-intended", "call-finished", "value-recorded", "gate-opened", "gate-decided"}
)
"""Events that calls and gates tell themselves, or `podium show`."""


def message_of(kept: Stored) -> JsonObject:
    """A stored JSON-RPC message; nothing where the bytes are none: such a call was made, too, and was refused."""
    try:
        message: object = from_json(kept.body)  # several times as fast as `json`, which takes a little more
    except ValueError:
        try:
            return parse(kept.subject, kept.body)
        except InvalidMessage:
            return {}
    said = as_object(message)
    return said if said.get("jsonrpc") == "2.0" else {}


def asked(kept: Stored, subject: CallSubject, run: str = "") -> CallRecord:
    """A call to which no answer is known yet; of `run`, where its body is not here to say so."""
    message = message_of(kept)
    about = correlation_of(message)
    about = replace(about, run=about.run or run)
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
        called_at=kept.stored_at,
        params_sha256=None if CLAIM in kept.headers else _digest(_arguments(message)),
        request_bytes=_size(kept),
        seq=kept.seq,
        outcome="open",
    )


def ending(kept: Stored) -> tuple[CallOutcome, Failure | None]:
    """How a call ended that was answered so."""
    if CLAIM in kept.headers:
        return "pruned", None
    failure = failure_of(message_of(kept))
    return "ok" if failure is None else "denied" if failure.kind == "denied" else "failed", failure


def answered(call: CallRecord, kept: Stored) -> CallRecord:
    """The call with its answer."""
    answer = message_of(kept)
    outcome, failure = ending(kept)
    said = as_object(answer.get("result")).get("structuredContent")
    return call.model_copy(
        update={
            "outcome": outcome,
            "result_sha256": None if outcome == "pruned" else _digest(said),
            "result_bytes": _size(kept),
            "duration_ms": (kept.stored_at - call.called_at).total_seconds() * 1000,
            "failure": failure,
            "spent": spent_of(answer),
        }
    )


def spent_of(answer: JsonObject) -> Spending | None:
    """What an answer says it has cost; None where it says nothing, or nothing was asked of a model."""
    failure = failure_of(answer)
    if failure is not None:
        return failure.spent
    said = as_object(as_object(answer.get("result")).get("structuredContent")).get("spent")
    if said is None:
        return None
    try:
        found = Spending.model_validate(said)
    except ValidationError:
        return None
    return found if found.requests else None


def denial(kept: Stored, by: str) -> CallRecord | None:
    """What a host asked for and was not granted, as its gateway wrote it down; None: somebody else did."""
    _, host, server, tool, call_id = kept.subject.split(".")
    if by != host:
        return None
    message = message_of(kept)
    about = correlation_of(message)
    return CallRecord(
        kind="denial",
        call_id=call_id,
        caller=host,
        trace_id=about.trace_of(call_id),
        subject=about.subject,
        server=untoken(server),
        tool=untoken(tool),
        called_at=kept.stored_at,
        params_sha256=_digest(_arguments(message)),
        request_bytes=len(kept.body),
        seq=kept.seq,
        outcome="denied",
        failure=Failure(kind="denied", message="not granted to this host"),
    )


def broker_denials(kept: Stored, by: str) -> tuple[CallRecord, ...] | None:
    """What the broker refused somebody, as calls to it, once however often; None: it is not the operator's word."""
    if by != OPERATOR:
        return None
    _, name, told = kept.subject.split(".")
    said = Denials.model_validate_json(kept.body)
    more = Denial(verb="publish", subject="and elsewhere", times=said.more)
    return tuple(
        CallRecord(
            kind="denial",
            call_id=told,
            caller=untoken(name),
            trace_id=trace_of_call(told),
            server=BROKER,
            tool=f"{each.verb} {each.subject}".rstrip(),
            called_at=kept.stored_at,
            params_sha256=None,
            seq=kept.seq,
            outcome="denied",
            failure=Failure(kind="denied", message=f"the broker refused it, {count(each.times, 'time')}"),
        )
        for each in (*said.denials, *([more] if said.more else []))
    )


def note(kept: Stored, by: str) -> Note | None:
    """What another message of the runs' stream tells; None: it was not sealed by whom it had to be, or is none."""
    try:
        return _note(kept, by)
    except ValidationError:
        return None


def _note(kept: Stored, by: str) -> Note | None:
    match kept.subject.split("."):
        case ["run", run, event] if by == ORCHESTRATOR:
            return _told(kept, by, "run", run=run, what=event, outcome=event, why=_reason(kept, "what"))
        case ["gate", run, gate, "request"] if by == ORCHESTRATOR:
            return _told(kept, by, "gate", run=run, what=untoken(gate), outcome="opened", why=_reason(kept, "subject"))
        case ["gate", run, gate, "decision"]:
            decision = GateDecision.model_validate_json(kept.body)
            if not may_decide(by, decision.via):
                return None
            told = [f"{decision.by} by {decision.via}", *decision.accepts, decision.reason]
            why = ": ".join(each for each in told if each)
            return _told(kept, by, "gate", run=run, what=untoken(gate), outcome=decision.verdict, why=why)
        case ["crew", who, "granted"] if by == OPERATOR:
            held = Granted.model_validate_json(kept.body)
            what = ", ".join((*held.scopes, *held.calls)) or "nothing"
            return _told(kept, by, "grant", server=who, what=what, outcome="granted")
        case ["crew", who, "pinned"] if by == OPERATOR:
            pin = Pinned.model_validate_json(kept.body)
            what = f"{len(pin.tools)} tools, sha256 {pin.tools_sha256}"
            return _told(kept, by, "pin", server=who, what=what, outcome="pinned", why=f"by {pin.approved_by}")
        case _:
            return None


def _told(kept: Stored, by: str, kind: str, **said: str) -> Note:
    place = {"at": kept.stored_at, "seq": kept.seq, "body_sha256": sha256(kept.body), "body_bytes": len(kept.body)}
    return Note.model_validate({"kind": kind, "caller": by, **place, **said})


def _reason(kept: Stored, part: str) -> str:
    """In an event's or a question's own words, whichever version of Podium wrote it."""
    try:
        said = as_object(as_object(from_json(kept.body)).get(part))
    except ValueError:
        return ""
    told = (said.get(key) for key in ("reason", "why", "by", "branch", "question", "kind"))
    return next((str(each) for each in told if each), str(as_object(said.get("task")).get("request", "")))


def _arguments(message: JsonObject) -> JsonObject:
    return as_object(as_object(message.get("params")).get("arguments"))


def _size(kept: Stored) -> int:
    """Of a message's body, also where that is not here."""
    try:
        claim = claim_of(kept)
    except InvalidMessage:
        claim = None
    return claim.size if claim else len(kept.body)


def _digest(value: object) -> Sha256:
    """sha256 of a JSON value in compact form, keys as they came: what `contracts.base.Model.digest` gives."""
    return sha256(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
