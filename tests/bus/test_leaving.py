"""A server that is told to leave: nothing it was at is lost, done twice, or kept waiting for."""

from __future__ import annotations

import anyio
import pytest

from bus.caller import Caller, new_call_id, open_caller
from bus.registry import cards
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import Rig


@pytest.fixture(autouse=True)
def late_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not handed back is delivered again after all patience."""
    monkeypatch.setattr("bus.provision.ACK_WAIT_S", 120)
    monkeypatch.setattr("bus.serving.ACK_WAIT_S", 120)


async def ask(caller: Caller, tool: str, call_id: str, answers: dict[str, EchoResult]) -> None:
    answers[call_id] = await caller.call("echo", tool, EchoParams(text=tool), EchoResult, call_id=call_id)


async def test_what_it_is_at_is_finished_and_what_comes_later_is_left_to_the_next(rig: Rig) -> None:
    """It is out of the registry first, answers, and takes nothing more."""
    first, second, answers = Echo(), Echo(), dict[str, EchoResult]()
    under_way, later = new_call_id(), new_call_id()
    async with (
        rig.connect("orchestrator") as bus,
        open_caller(bus) as caller,
        anyio.create_task_group() as tasks,
    ):
        async with rig.connect("echo") as server, served(server, first) as leave:
            tasks.start_soon(ask, caller, "wait", under_way, answers)
            await first.started.wait()
            leave.set()
            with anyio.fail_after(10):
                while await cards(bus):
                    await anyio.lowlevel.checkpoint()
            tasks.start_soon(ask, caller, "say", later, answers)
            first.released.set()
            with anyio.fail_after(10):
                while under_way not in answers:
                    await anyio.lowlevel.checkpoint()
        async with rig.connect("echo") as server, served(server, second):
            with anyio.fail_after(10):
                while later not in answers:
                    await anyio.lowlevel.checkpoint()
    assert (first.executed, second.executed) == ([under_way], [later])


async def test_what_takes_too_long_is_handed_back_to_the_next_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is there takes it over, long before a dead server's calls would be delivered again."""
    monkeypatch.setattr("bus.serving.DRAIN_S", 0.05)
    first, second, answers, call_id = Echo(), Echo(), dict[str, EchoResult](), new_call_id()
    second.released.set()
    async with (
        rig.connect("orchestrator") as bus,
        open_caller(bus) as caller,
        anyio.create_task_group() as tasks,
    ):
        async with rig.connect("echo") as server, served(server, first) as leave:
            tasks.start_soon(ask, caller, "wait", call_id, answers)
            await first.started.wait()
            leave.set()
            with anyio.fail_after(10):
                while await cards(bus):
                    await anyio.lowlevel.checkpoint()
        async with rig.connect("echo") as server, served(server, second):
            with anyio.fail_after(30):
                while call_id not in answers:
                    await anyio.lowlevel.checkpoint()
    assert (first.executed, second.executed) == ([], [call_id])
