"""Gates on the ledger: put a question, wait for the first decision from whichever door, decide."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol

import anyio
from pydantic import ValidationError

from bus.bus import ABSENT, Bus, Expect, Message, Stored
from bus.crash import crash_point
from bus.errors import AlreadyStored
from contracts.base import utc_now
from contracts.gate import GateDecision, GateRequest
from contracts.ledger import RUNS_STREAM
from contracts.run import GateClosedEvent, GateDecidedEvent
from contracts.state import RunState
from orchestrator.errors import Diverged, InvalidDecision
from orchestrator.policies import problem
from orchestrator.seals import may_decide

POLL_S = 2.0
"""How often the ledger is asked while a person thinks; a published decision is noticed at once."""


class Desk(Protocol):
    """Somebody who can be asked now: a person at a terminal, say."""

    async def ask(self, request: GateRequest, problem: str) -> GateDecision:
        """Show `request` and return the answer; cancelled when another door is first.

        `problem` says why the previous answer did not fit ("" at first).
        """
        ...


async def put(bus: Bus, request: GateRequest) -> None:
    """Store the question, once.

    Raises:
        Diverged: another question stands there.
    """
    subject = f"gate.{request.run}.{request.gate}.request"
    try:
        crash_point("request.before_store")
        await bus.store(subject, request.canonical(), expect=ABSENT)
        crash_point("request.after_store")
    except AlreadyStored:
        kept = await bus.last(RUNS_STREAM, subject)
        stands = GateRequest.model_validate_json(kept.body).subject_sha256 if kept else "nothing"
        if stands != request.subject_sha256:
            raise Diverged(request.run, f"gate {request.gate}", stands, request.subject_sha256) from None


async def pending(bus: Bus, state: RunState) -> GateRequest | None:
    """The question `state` waits on, in full; None if it waits on none, or a decision is stored already."""
    gate = state.open_gate
    if state.ended or gate is None or await decided(bus, state.run, gate.gate) is not None:
        return None
    kept = await bus.last(RUNS_STREAM, f"gate.{state.run}.{gate.gate}.request")
    return GateRequest.model_validate_json(kept.body) if kept else None


async def decided(bus: Bus, run: str, gate: str) -> Stored | None:
    """The decision that stands at a gate, valid or not."""
    return await bus.last(RUNS_STREAM, f"gate.{run}.{gate}.decision")


async def decide(bus: Bus, request: GateRequest, decision: GateDecision) -> None:
    """Store `decision`, if it fits and is the first.

    Raises:
        InvalidDecision: it does not fit, or the gate is decided already.
    """
    reason = problem(request, decision, utc_now())
    if reason:
        raise InvalidDecision(request.gate, reason)
    stands = await store_decision(bus, request, decision)
    if stands.body != decision.canonical():
        raise InvalidDecision(request.gate, "it was decided already; the first decision counts")


async def store_decision(bus: Bus, request: GateRequest, decision: GateDecision, *, expect: Expect = ABSENT) -> Stored:
    """Store `decision` unless one stands already; returns the one that stands.

    Raises:
        Overtaken: what else was expected than that no decision stands does not hold.
    """
    with suppress(AlreadyStored):
        crash_point("decision.before_store")
        await bus.store(f"gate.{request.run}.{request.gate}.decision", decision.canonical(), expect=expect)
        crash_point("decision.after_store")
    stands = await decided(bus, request.run, request.gate)
    assert stands is not None, "stored, or somebody else's was there before"
    return stands


def settle(request: GateRequest, kept: Stored, sealed_by: str) -> GateDecidedEvent | GateClosedEvent:
    """What the stored decision amounts to; anything that does not fit closes the gate without an approval."""
    try:
        decision = GateDecision.model_validate_json(kept.body)
    except ValidationError as error:
        reason = f"not a decision: {error.error_count()} errors, the first: {error.errors()[0]['msg']}"
    else:
        reason = problem(request, decision, kept.stored_at)
        if not may_decide(sealed_by, decision.via):
            reason = f"it was not written by somebody who may decide, but by {sealed_by or 'nobody known'}"
        if not reason:
            return GateDecidedEvent(gate=request.gate, decision=decision)
    return GateClosedEvent(gate=request.gate, why="invalid", reason=reason)


async def first_decision(bus: Bus, request: GateRequest, desk: Desk) -> Stored | None:
    """Ask at `desk` while watching for a decision from any other door; None when the gate expires first."""
    found: list[Stored] = []

    async def until(wait: Awaitable[Stored | None], scope: anyio.CancelScope) -> None:
        kept = await wait
        if kept is not None:
            found.append(kept)
        scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until, _watch(bus, request), tasks.cancel_scope)
            tasks.start_soon(until, _ask(bus, request, desk), tasks.cancel_scope)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    return found[0] if found else None


async def _watch(bus: Bus, request: GateRequest) -> Stored | None:
    """The ledger is the truth; what is heard on the subject is only a hint to look again."""
    hint = anyio.Event()

    async def on_hint(_: Message) -> None:
        hint.set()

    async with bus.listen(f"gate.{request.run}.{request.gate}.decision", on_hint):
        while (kept := await decided(bus, request.run, request.gate)) is None and utc_now() <= request.expires_at:
            with anyio.move_on_after(min(POLL_S, (request.expires_at - utc_now()).total_seconds())):
                await hint.wait()
            hint = anyio.Event()
        return kept


async def _ask(bus: Bus, request: GateRequest, desk: Desk) -> Stored | None:
    trouble = ""
    while (kept := await decided(bus, request.run, request.gate)) is None:
        try:
            await decide(bus, request, await desk.ask(request, trouble))
        except InvalidDecision as error:
            trouble = error.reason
            if utc_now() > request.expires_at:
                return None
    return kept
