"""How often a server may die over a call, and what does not count as dying."""

from __future__ import annotations

import json

import anyio
import pytest

from bus.bus import Bus
from bus.caller import Caller, new_call_id, open_caller
from bus.errors import CallFailed
from bus.lives import MAX_DEATHS
from bus.nested import account_of
from bus.provision import given_up as advisory_of
from bus.registry import cards
from bus.subjects import CallSubject
from bus.wire import parse
from contracts.ledger import RUNS_STREAM, server_stream
from orchestrator.audit import audit
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig, Rig

PATIENCE_S = 20


@pytest.fixture(autouse=True)
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead server's calls are delivered again within half a second."""
    monkeypatch.setattr("bus.provision.ACK_WAIT_S", 0.4)
    monkeypatch.setattr("bus.serving.ACK_WAIT_S", 0.4)
    monkeypatch.setattr("bus.serving.DRAIN_S", 0.01)
    monkeypatch.setattr("bus.serving._FAREWELL_S", PATIENCE_S)


async def die_over_it(rig: Rig) -> None:
    """Be a server that takes the call, and ends without a word."""
    echo = Echo()
    async with rig.connect("echo") as server, served(server, echo):
        with anyio.fail_after(PATIENCE_S):
            await echo.started.wait()


async def hand_it_back(rig: Rig, bus: Bus) -> None:
    """Be a server that takes the call, and is told to leave before it is done."""
    echo = Echo()
    async with rig.connect("echo") as server, served(server, echo) as leave:
        with anyio.fail_after(PATIENCE_S):
            await echo.started.wait()
            leave.set()
            while await cards(bus):
                await anyio.lowlevel.checkpoint()


async def wait_for(caller: Caller, call_id: str) -> EchoResult:
    return await caller.call("echo", "wait", EchoParams(text="x"), EchoResult, call_id=call_id)


async def test_a_call_that_kills_its_server_each_time_is_given_up(rig: Rig) -> None:
    """With an answer that says how often; hand-backs in between are no deaths, and the broker notes the reason."""
    call_id, failed = new_call_id(), list[str]()
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller, anyio.create_task_group() as tasks:

        async def ask() -> None:
            with pytest.raises(CallFailed) as given_up:
                await wait_for(caller, call_id)
            failed.append(given_up.value.failure.message)

        tasks.start_soon(ask)
        for death in range(MAX_DEATHS):
            if death % 2:
                await hand_it_back(rig, bus)
            await die_over_it(rig)
        echo = Echo()
        async with rig.connect("echo") as server, served(server, echo):
            with anyio.fail_after(PATIENCE_S):
                while not failed:
                    await anyio.lowlevel.checkpoint()
        assert failed == [f"given up: echo died {MAX_DEATHS} times while working on this call"]
        assert not echo.started.is_set()
        if isinstance(rig, NatsRig):
            with anyio.fail_after(PATIENCE_S):
                while (noted := await bus.last(RUNS_STREAM, advisory_of("echo"))) is None:
                    await anyio.lowlevel.checkpoint()
            assert f"given up after {MAX_DEATHS} deaths" in json.loads(noted.body)["reason"]


async def test_a_call_that_takes_the_broker_along_each_time_is_given_up(nats: NatsRig) -> None:
    """Its deliveries are forgotten, and each looks like the first; its deaths are counted all the same."""
    call_id, given_up = new_call_id(), anyio.Event()
    async with nats.connect("orchestrator") as bus, open_caller(bus) as caller, anyio.create_task_group() as tasks:

        async def ask() -> None:
            with pytest.raises(CallFailed, match=f"given up: echo died {MAX_DEATHS} times"):
                await wait_for(caller, call_id)
            given_up.set()

        tasks.start_soon(ask)
        with anyio.fail_after(PATIENCE_S):
            while await bus.last(server_stream("echo"), "call.>") is None:  # else a server may take it for new
                await anyio.lowlevel.checkpoint()
        for _ in range(MAX_DEATHS):
            await die_over_it(nats)
            nats.broker.stop()
            nats.forget_deliveries("echo")
            nats.broker.start()
        echo = Echo()
        async with nats.connect("echo") as server, served(server, echo):
            with anyio.fail_after(PATIENCE_S):
                await given_up.wait()
        assert not echo.started.is_set()


async def test_a_call_is_never_given_up_for_being_handed_back(rig: Rig) -> None:
    """However often its server is told to leave over it: the next one does it, and says which execution that was."""
    call_id, answers, times = new_call_id(), list[EchoResult](), 2 * MAX_DEATHS
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller, anyio.create_task_group() as tasks:

        async def ask() -> None:
            answers.append(await wait_for(caller, call_id))

        tasks.start_soon(ask)
        for _ in range(times):
            await hand_it_back(rig, bus)
        last = Echo()
        last.released.set()
        async with rig.connect("echo") as server, served(server, last):
            with anyio.fail_after(PATIENCE_S):
                while not answers:
                    await anyio.lowlevel.checkpoint()
        assert last.executed == [call_id]
        kept = await bus.last(server_stream("echo"), CallSubject("echo", "wait", "orchestrator", call_id).result)
        assert kept is not None
        account = account_of(parse("result", kept.body))
        assert account is not None
        assert account.attempt == times + 1
        found = await audit(bus, ["echo"])
        assert ([each.call_id for each in found.calls], found.foreign) == ([call_id], 0), "what it notes is its own"


async def test_a_first_delivery_costs_no_note(rig: Rig) -> None:
    """Nothing but the call and its answer is kept of a call that the first one answers who gets it."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            for _ in range(3):
                await caller.call("echo", "say", EchoParams(text=""), EchoResult, call_id=new_call_id())
        kept = [one.subject.partition(".")[0] async for one in bus.history(server_stream("echo"))]
    assert kept == ["call", "result"] * 3


async def test_what_others_write_about_a_call_is_not_believed(nats: NatsRig) -> None:
    """A note that its server did not write has no call given up."""
    subject = CallSubject("echo", "wait", "orchestrator", new_call_id())
    seen = anyio.Event()
    async with nats.connect("orchestrator") as bus, nats.connect("operator") as forger, open_caller(bus) as caller:
        await forger.store(subject.begun, b'{"number":9,"deaths":9}')
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                assert (await wait_for(caller, subject.call_id)).executions == 1
                seen.set()

            tasks.start_soon(ask)
            await die_over_it(nats)
            echo = Echo()
            echo.released.set()
            async with nats.connect("echo") as server, served(server, echo):
                with anyio.fail_after(PATIENCE_S):
                    await seen.wait()
