"""A bridge that is told to leave, and a server that does not answer."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from bus.caller import Caller, new_call_id, open_caller
from bus.registry import cards
from bus.subjects import CallSubject
from bus.wire import Correlation, call_request, failure_of, parse
from contracts.base import Model
from contracts.config import ServerConfig
from servers.crew_member import Member
from tests.bridge.conftest import Era
from tests.bridge.rig import as_identity, joined
from tests.bridge.small import SERVER, bridged, command, pinned, serving
from tests.bus.rigs import Rig
from tests.cli.conftest import Podium

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def late_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not handed back is delivered again after all patience."""
    monkeypatch.setattr("bus.provision.ACK_WAIT_S", 120)
    monkeypatch.setattr("bus.serving.ACK_WAIT_S", 120)


class Text(Model):
    """What the small server's tools take."""

    text: str


class Pipe:
    """What the small server reads, and how far it is with that."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "pipe"
        os.mkfifo(self.path)

    async def opened(self) -> int:
        """Wait until the server reads; the end to write to."""
        with anyio.fail_after(PATIENCE_S):
            return await to_thread.run_sync(partial(os.open, self.path, os.O_WRONLY), abandon_on_cancel=True)


async def ask(caller: Caller, tool: str, text: str, answers: list[bytes], server: str = "echo") -> None:
    subject = CallSubject(server, tool, "orchestrator", new_call_id())
    answers.append(await caller.exchange(subject, call_request(subject.call_id, tool, Text(text=text), Correlation())))


async def told(answers: list[bytes]) -> bytes:
    with anyio.fail_after(PATIENCE_S):
        while not answers:
            await anyio.lowlevel.checkpoint()
    return answers[0]


@pytest.mark.parametrize("in_time", [True, False])
async def test_a_bridge_that_leaves_finishes_what_it_is_at_or_hands_it_back(
    in_time: bool, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes nothing more; its server stays until then, and what takes too long is done by the next one at once."""
    monkeypatch.setattr("bus.serving.DRAIN_S", 60 if in_time else 0.05)
    pipe, answers, leave = Pipe(tmp_path), list[bytes](), anyio.Event()
    member = await pinned(rig, tmp_path / "scratch", Member(name="echo", command=command("new")))
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller, anyio.create_task_group() as tasks:
        async with serving(rig, tmp_path / "scratch", member, leave):
            tasks.start_soon(ask, caller, "read", str(pipe.path), answers)
            end = await pipe.opened()
            leave.set()
            with anyio.fail_after(PATIENCE_S):
                while await cards(bus):
                    await anyio.lowlevel.checkpoint()
            if in_time:
                os.write(end, b"the first")
                os.close(end)
                await told(answers)
        if not in_time:
            os.close(end)
            async with serving(rig, tmp_path / "scratch", member):
                end = await pipe.opened()
                os.write(end, b"the next")
                os.close(end)
                await told(answers)
    assert (b"the first" if in_time else b"the next") in answers[0]


async def test_what_may_have_had_its_effect_is_not_done_again_after_it_was_handed_back(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered with a failure that says so."""
    monkeypatch.setattr("bus.serving.DRAIN_S", 0.05)
    answers, leave, begun = list[bytes](), anyio.Event(), tmp_path / "x.begun"
    member = await pinned(rig, tmp_path / "scratch", Member(name="echo", command=command("new")))
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller, anyio.create_task_group() as tasks:
        async with serving(rig, tmp_path / "scratch", member, leave):
            tasks.start_soon(ask, caller, "wait", str(tmp_path / "x"), answers)
            with anyio.fail_after(PATIENCE_S):
                while not begun.exists():
                    await anyio.lowlevel.checkpoint()
            leave.set()
            with anyio.fail_after(PATIENCE_S):
                while await cards(bus):
                    await anyio.lowlevel.checkpoint()
        async with serving(rig, tmp_path / "scratch", member):
            await told(answers)
    failed = failure_of(parse("answer", answers[0]))
    assert failed is not None
    assert "the bridge to the server ended while it worked on this call, which may have had its effect" in str(failed)


async def test_a_server_that_does_not_answer_is_told_to_stop_and_the_call_answered(
    rig: Rig, era: Era, tmp_path: Path
) -> None:
    """At the deadline of its entry in the crew file; the failure says how to give it more time."""
    answers = list[bytes]()
    async with (
        bridged(rig, tmp_path / "scratch", era, deadline_s=3) as card,
        rig.connect("orchestrator") as bus,
        open_caller(bus) as caller,
    ):
        assert set(card.deadlines_s.values()) == {3}
        with anyio.fail_after(PATIENCE_S):
            await ask(caller, "wait", str(tmp_path / "x"), answers)
            while not (tmp_path / "x.cancelled").exists():
                await anyio.lowlevel.checkpoint()
    failed = failure_of(parse("answer", answers[0]))
    assert failed is not None
    assert (failed.kind, failed.retry) == ("timeout", False)
    assert "within 3 s" in failed.message
    assert "deadline_s" in failed.way_out


async def test_a_member_of_a_house_may_finish_what_it_is_at_when_it_leaves(kept: Podium, tmp_path: Path) -> None:
    """What stands above it, and would end it, waits for that."""
    pipe, answers = Pipe(tmp_path), list[bytes]()
    server = ServerConfig(command=command("new"), scopes=(f"files:read:{tmp_path}", f"files:read:{SERVER.parent}"))
    there, leave = anyio.Event(), anyio.Event()

    async def be_there() -> None:
        async with joined(kept, "small", server):
            there.set()
            await leave.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(be_there)
        await there.wait()
        async with as_identity(kept, "orchestrator") as (bus, caller), anyio.create_task_group() as asking:
            asking.start_soon(ask, caller, "read", str(pipe.path), answers, "small")
            end = await pipe.opened()
            leave.set()
            with anyio.fail_after(PATIENCE_S):
                while any(card.manifest.name == "small" for card in await cards(bus)):
                    await anyio.lowlevel.checkpoint()
            os.write(end, b"late")
            os.close(end)
            assert b"late" in await told(answers)
