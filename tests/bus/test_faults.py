"""What happens to calls when the broker, the connection or a permission goes: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from bus import nats_link
from bus.broker import MAX_PAYLOAD, Durability
from bus.bus import ABSENT, Message
from bus.caller import new_call_id, open_caller
from bus.errors import BusUnavailable, StoreRefused, TooLarge
from bus.identity import new_identity
from bus.nats_bus import NatsBus, connect_nats
from bus.subjects import CallSubject
from contracts.ledger import RUNS_STREAM, server_stream
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig, nats_rig

CALLS = 300


@pytest.mark.parametrize("durability", ["process", "disk"])
async def test_a_broker_killed_in_mid_traffic_loses_and_doubles_nothing(durability: Durability, tmp_path: Path) -> None:
    """`kill -9` and restart six times with hundreds of calls in flight: every one is answered, each executed once."""
    answers, echo = dict[str, EchoResult](), Echo()
    async with (
        nats_rig(tmp_path, durability=durability) as nats,
        nats.connect("echo") as server,
        nats.connect("orchestrator") as bus,
        open_caller(bus) as caller,
    ):
        async with served(server, echo):

            async def ask(call_id: str) -> None:
                answers[call_id] = await caller.call(
                    "echo", "say", EchoParams(text=call_id), EchoResult, call_id=call_id
                )

            ids = [new_call_id() for _ in range(CALLS)]
            with anyio.fail_after(90):
                async with anyio.create_task_group() as tasks:
                    for number, call_id in enumerate(ids):
                        tasks.start_soon(ask, call_id)
                        if number % 50 == 25:
                            for _ in range(number):  # at another point of the traffic each time
                                await anyio.lowlevel.checkpoint()
                            os.kill(nats.broker.pid, signal.SIGKILL)
                            nats.broker.start()
            history = bus.history(server_stream("echo"))
            kept = [one.subject async for one in history if not one.subject.startswith("begun.")]
    assert {call_id: answer.text for call_id, answer in answers.items()} == {one: one for one in ids}
    assert len(kept) == len(set(kept)) == len(echo.executed) * 2 == 2 * CALLS


@pytest.mark.parametrize("again", ["the same process", "another process"])
async def test_what_a_broker_has_forgotten_that_it_delivered_is_not_executed_again(again: str, tmp_path: Path) -> None:
    """A consumer that is made anew delivers all calls as if for the first time; their answers stand."""
    first, second = Echo(), Echo()
    ids = [new_call_id() for _ in range(20)]
    async with nats_rig(tmp_path) as nats, AsyncExitStack() as serving:
        server = await serving.enter_async_context(nats.connect("echo"))
        await serving.enter_async_context(served(server, first))
        async with nats.connect("orchestrator") as bus, open_caller(bus) as caller:
            for call_id in ids:
                await caller.call("echo", "say", EchoParams(text=""), EchoResult, call_id=call_id)
        if again == "another process":
            await serving.aclose()
        nats.broker.stop()
        nats.forget_deliveries("echo")
        nats.broker.start()
        async with nats.connect("orchestrator") as bus, open_caller(bus) as caller, AsyncExitStack() as next_one:
            if again == "another process":
                server = await next_one.enter_async_context(nats.connect("echo"))
                await next_one.enter_async_context(served(server, second))
            last = new_call_id()
            with anyio.fail_after(30):
                await caller.call("echo", "say", EchoParams(text=""), EchoResult, call_id=last)
    assert [*first.executed, *second.executed] == [*ids, last]


async def test_a_store_that_was_cut_off_is_found_again(nats: NatsRig) -> None:
    """The acknowledgement is lost with the broker, the retry meets its own message: that is success, told once."""
    async with nats.connect("orchestrator") as bus:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(_decide, bus, f"gate.r-aaaa.g{number}.decision")
            await anyio.lowlevel.checkpoint()
            os.kill(nats.broker.pid, signal.SIGKILL)
            nats.broker.start()
        kept = [one.subject async for one in bus.history(RUNS_STREAM, "gate.>")]
    assert sorted(kept) == sorted(f"gate.r-aaaa.g{number}.decision" for number in range(20))


async def _decide(bus: object, subject: str) -> None:
    assert isinstance(bus, NatsBus)
    await bus.store(subject, subject.encode(), expect=ABSENT)


async def test_a_refused_store_says_so_at_once(nats: NatsRig) -> None:
    """The broker tells refusals to nobody who waits; the caller hears it all the same, by name."""
    async with nats.connect("other") as bus:
        with pytest.raises(StoreRefused, match="does not permit other"), anyio.fail_after(10):
            await bus.store(str(CallSubject("echo", "count", "other", new_call_id())), b"{}", expect=ABSENT)


async def test_what_is_too_large_to_be_sent_is_refused_before_it_is(nats: NatsRig) -> None:
    """It does not cost the connection, which a protocol error would."""
    async with nats.connect("orchestrator") as bus:
        with pytest.raises(TooLarge) as caught:
            await bus.request("rpc.echo.tools.list.orchestrator", b"x" * (9 << 20))
        assert (caught.value.size, caught.value.most, caught.value.retry) == (9 << 20, MAX_PAYLOAD, False)
        with pytest.raises(TooLarge):
            await bus.publish("cancel.echo.orchestrator.0", b"x" * (9 << 20))
        assert await bus.store("run.r-aaaa.small", b"x") == 1


async def test_a_connection_that_is_over_says_so(nats: NatsRig) -> None:
    """A protocol error closes the client for good; whoever serves on it learns that and can be started again."""
    async with nats.connect("orchestrator") as bus:
        assert isinstance(bus, NatsBus)
        headers = {"x": "y" * (8 << 20)}  # headers are not counted by the client, but by the broker
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_publish_into_the_void, bus, headers)
            with anyio.fail_after(20):
                await bus.closed()
            tasks.cancel_scope.cancel()


async def _publish_into_the_void(bus: NatsBus, headers: dict[str, str]) -> None:
    await bus.publish("run.r-aaaa.big", b"", headers)


async def test_a_connection_that_the_broker_ended_is_unavailable_to_whoever_listens(nats: NatsRig) -> None:
    """A line of more than 4 KiB ends it for good; the next thing wanted of it fails as one of this package's errors."""
    async with nats.connect("orchestrator") as bus:
        assert isinstance(bus, NatsBus)
        await bus.publish("x" * 6000, b"")
        with anyio.fail_after(20):
            await bus.closed()
        with pytest.raises(BusUnavailable):
            async with bus.listen("run.>", _ignore):
                raise AssertionError("nothing can be heard")


async def _ignore(_: Message) -> None:
    return


@pytest.mark.parametrize("url", ["nats://127.0.0.1:9", "nats://127.0.0.1:9,nats://127.0.0.1:11"])
async def test_an_address_where_nobody_is_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time in which a broker that died is started again, not never."""
    monkeypatch.setattr(nats_link, "_PATIENCE_S", 0.2)
    with anyio.fail_after(30), pytest.raises(BusUnavailable, match="Errno 111"):
        async with connect_nats(url, new_identity("x")):
            raise AssertionError
