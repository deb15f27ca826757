"""What was stored under a key that its owner has no more: it counts by when it was stored, however long ago that is."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from bus.caller import new_call_id, open_caller
from bus.connect import identities
from bus.identity import load_identity, new_identity
from bus.roster import Keys
from bus.subjects import CallSubject
from contracts.base import utc_now
from contracts.ledger import ROSTER_BUCKET, server_stream
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig

PATIENCE_S = 20


@pytest.fixture(autouse=True)
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a message of which nobody knows when it was stored, an earlier key proves nothing any more."""
    monkeypatch.setattr("bus.roster.UNDER_WAY", -timedelta(days=1))


async def renew(nats: NatsRig, name: str) -> None:
    """Have the roster say that somebody has another key from now on."""
    keys = Keys(new_identity(name).public, ((load_identity(identities(nats.state), name).public, utc_now()),))
    async with nats.connect("operator") as operator:
        await operator.put(ROSTER_BUCKET, name, keys.entry().encode())


async def test_an_answer_that_a_server_stored_before_is_taken_by_who_asks_for_it_afterwards(nats: NatsRig) -> None:
    """Nobody does the work again, nor waits for what stands there."""
    call_id, params = new_call_id(), EchoParams(text="x")
    async with nats.connect("echo") as server, nats.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            first = await caller.call("echo", "say", params, EchoResult, call_id=call_id)
    await renew(nats, "echo")
    async with nats.connect("orchestrator") as bus, open_caller(bus) as caller:
        with anyio.fail_after(PATIENCE_S):
            assert await caller.call("echo", "say", params, EchoResult, call_id=call_id) == first


async def test_a_call_that_waited_in_the_ledger_is_answered_although_its_caller_has_another_key(nats: NatsRig) -> None:
    """It was theirs when it was stored."""
    call_id, answers = new_call_id(), list[EchoResult]()
    async with nats.connect("orchestrator") as bus, open_caller(bus) as caller, anyio.create_task_group() as tasks:

        async def ask() -> None:
            answers.append(await caller.call("echo", "say", EchoParams(text="x"), EchoResult, call_id=call_id))
            tasks.cancel_scope.cancel()

        tasks.start_soon(ask)
        with anyio.fail_after(PATIENCE_S):
            subject = str(CallSubject("echo", "say", "orchestrator", call_id))
            while await bus.last(server_stream("echo"), subject) is None:
                await anyio.lowlevel.checkpoint()
            await renew(nats, "orchestrator")
            async with nats.connect("echo") as server, served(server, Echo()):
                await anyio.sleep_forever()
    assert [answer.text for answer in answers] == ["x"]
