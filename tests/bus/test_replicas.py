"""Several processes of one server: they share its calls, and one can come or go while calls are under way."""

from __future__ import annotations

import anyio
import pytest

from bus.bus import Bus
from bus.caller import new_call_id, open_caller
from bus.provision import ask_jetstream
from contracts.ledger import server_stream
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig

CALLS = 40
STREAM = server_stream("echo")


async def test_replicas_share_calls_and_come_and_go_in_mid_traffic(nats: NatsRig) -> None:
    """One leaves with calls in hand, another one joins: every call is answered, and stored once."""
    first, second, third = Echo(), Echo(), Echo()
    asked, answers, done = set[str](), set[str](), anyio.Event()
    async with nats.connect("orchestrator") as bus, open_caller(bus) as caller:

        async def ask() -> None:
            asked.add(call_id := new_call_id())
            answer = await caller.call("echo", "wait", EchoParams(text=call_id), EchoResult, call_id=call_id)
            answers.add(answer.text)
            if third.started.is_set() and answers == asked:
                done.set()

        async with nats.connect("echo") as one, served(one, first):
            async with anyio.create_task_group() as tasks:
                async with nats.connect("echo") as two, served(two, second):
                    for _ in range(CALLS):
                        tasks.start_soon(ask)
                    await first.started.wait()
                    await second.started.wait()
                async with nats.connect("echo") as three, served(three, third):
                    first.released.set()
                    third.released.set()
                    while not third.started.is_set():  # the broker gives each call to whichever it likes
                        await ask()
                    await done.wait()  # what the one that left had in hand is delivered again
        kept = [each.subject async for each in bus.history(STREAM) if not each.subject.startswith("begun.")]
        assert len(kept) == len(set(kept)) == 2 * len(asked)
    assert answers == asked
    assert second.executed == []
    assert len(first.executed) + len(third.executed) == len(asked)


async def test_an_answer_that_cannot_be_stored_waits_and_is_not_worked_out_again(
    nats: NatsRig, caplog: pytest.LogCaptureFixture
) -> None:
    """A ledger that takes no more for a while costs no second execution."""
    echo = Echo()
    done = anyio.Event()
    async with nats.connect("operator") as operator, nats.connect("orchestrator") as bus, open_caller(bus) as caller:

        async def ask() -> None:
            await caller.call("echo", "wait", EchoParams(text="x"), EchoResult, call_id=new_call_id())
            done.set()

        async with nats.connect("echo") as server, served(server, echo), anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await echo.started.wait()
            await _limit(operator, 1)
            echo.released.set()
            while "waits for the ledger" not in caplog.text:
                await anyio.lowlevel.checkpoint()
            await _limit(operator, -1)
            await done.wait()
    assert len(echo.executed) == 1


async def _limit(operator: Bus, size: int) -> None:
    """Let the server's stream hold `size` bytes at most."""
    config = (await ask_jetstream(operator, f"STREAM.INFO.{STREAM}", {}))["config"]
    told = await ask_jetstream(operator, f"STREAM.UPDATE.{STREAM}", config | {"max_bytes": size})
    assert "error" not in told
