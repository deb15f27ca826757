"""Large bodies are given up by the operator; what they were, and that they were, stays in the ledger."""

from __future__ import annotations

import pytest

from bus.bodies import give_up, kept_apart
from bus.bus import ABSENT, Bus, Message
from bus.caller import new_call_id, open_caller
from bus.claims import MAX_WHOLE
from bus.errors import InvalidMessage
from bus.marks import Marks, losses, take
from bus.roster import LiveRoster
from bus.subjects import CallSubject
from contracts.base import utc_now
from contracts.ledger import server_stream
from contracts.run import Event, GivenUp, RunPrunedEvent
from orchestrator.audit import audit
from orchestrator.retention import large_bodies
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig

LARGE = "x" * (2 * MAX_WHOLE)
RUN = "r-aaaa"


async def called(nats: NatsRig, *texts: str) -> list[CallSubject]:
    """Calls of a run that echo these texts."""
    ids = [new_call_id() for _ in texts]
    async with nats.connect("echo") as server, nats.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            for call_id, text in zip(ids, texts, strict=True):
                params = EchoParams(text=text)
                await caller.call("echo", "say", params, EchoResult, call_id=call_id, run=RUN, step="a/b")
    return [CallSubject("echo", "say", "orchestrator", call_id) for call_id in ids]


async def noted(bus: Bus, *bodies: GivenUp) -> None:
    """Have the ledger say that these were given up."""
    what = RunPrunedEvent(by="ann", policy="old", removed=(), bodies=bodies)
    event = Event(run=RUN, n=1, at=utc_now(), what=what)
    await bus.store(f"run.{RUN}.pruned", event.canonical(), expect=ABSENT)


async def test_a_runs_large_bodies_are_found_by_what_its_caller_sealed(nats: NatsRig) -> None:
    """Answers first, as it is the call that says whose they are; small ones lie in their messages."""
    _, large = await called(nats, "small", LARGE)
    async with nats.connect("operator") as operator:
        found = await large_bodies(operator, ["echo", "other"])
    assert [body.subject for body in found.pop(RUN)] == [large.result, str(large)]
    assert not found


async def test_what_was_given_up_is_gone_and_its_message_and_seal_stand(nats: NatsRig) -> None:
    """Nobody can read it, everybody can see who said what has this digest; giving it up again changes nothing."""
    (large,) = await called(nats, LARGE)
    async with nats.connect("operator") as operator, nats.connect("orchestrator") as bus:
        bodies = [body async for body in kept_apart(operator, "echo")]
        assert all(body.chunks == 3 and body.bytes > 2 * MAX_WHOLE for body in bodies)
        for body in (*bodies, *bodies):
            await give_up(operator, body)
        assert [body async for body in kept_apart(operator, "echo")] == []
        kept = await bus.last(server_stream("echo"), large.result)
        assert kept is not None
        message = Message(kept.subject, kept.body, kept.headers)
        assert await LiveRoster(bus).received(message) == "echo"
        with pytest.raises(InvalidMessage, match="missing"):
            await bus.whole(message)


async def test_a_ledger_lacks_what_nobody_noted_and_not_what_was_given_up(nats: NatsRig) -> None:
    """Also where one of two bodies was noted, and both are gone."""
    await called(nats, LARGE)
    async with nats.connect("operator") as operator, nats.connect("orchestrator") as bus:
        before = await take(operator, ["echo"], Marks())
        answer, call = [body async for body in kept_apart(operator, "echo")]
        await noted(bus, answer, answer)
        noted_only = await take(operator, ["echo"], before)
        assert losses(before, noted_only) == ()
        await give_up(operator, answer)
        after = await take(operator, ["echo"], before)
        assert (losses(before, after), losses(noted_only, after)) == ((), ()), "whenever a house marked it meanwhile"
        assert losses(after, await take(operator, ["echo"], after)) == ()
        await give_up(operator, call)
        assert losses(after, await take(operator, ["echo"], after)) == ("OBJECTS_echo lacks 3 of 3 messages",)


async def test_an_auditor_sees_a_call_whose_body_was_given_up_in_its_place(nats: NatsRig) -> None:
    """Sealed as before, of the run that the note names, and with no word on how it went."""
    await called(nats, "small", LARGE)
    async with nats.connect("operator") as operator, nats.connect("orchestrator") as bus:
        bodies = (await large_bodies(operator, ["echo"]))[RUN]
        await noted(bus, *bodies)
        for body in bodies:
            await give_up(operator, body)
        found = await audit(bus, ["echo"], RUN)
    small, large = found.calls
    assert (small.outcome, large.outcome, found.foreign) == ("ok", "pruned", 0)
    assert (large.run, large.caller, large.sealed, large.params_sha256, large.result_sha256) == (
        RUN,
        "orchestrator",
        True,
        None,
        None,
    )
