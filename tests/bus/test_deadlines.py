"""A handler that hangs: it is stopped, and its call is answered once."""

from __future__ import annotations

from typing import ClassVar

import anyio
import pytest

from bus.caller import new_call_id, open_caller
from bus.errors import CallFailed
from bus.mandates import put_mandate
from contracts.base import Model
from contracts.config import EndpointConfig, ModelsConfig
from contracts.mandate import Mandate
from contracts.manifest import Manifest
from contracts.model import DescribeParams
from contracts.static_analyzer import CheckParams
from contracts.test_runner import Candidate, CoverageParams, RunParams, TryPatchesParams
from servers.model import ModelServer
from servers.rehearsal import Rehearsal
from servers.runtime import BusCrew
from servers.specialist import Call, Crew, Specialist, ToolError, tool, tools_of
from servers.static_analyzer import LIMITS, StaticAnalyzer
from servers.test_runner import TestRunner
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import Rig

PATIENCE_S = 20


class Hanging(Echo):
    """Hangs, and notices when it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped: list[str] = []

    async def _hang(self, call: Call) -> EchoResult:
        try:
            await anyio.sleep_forever()
        finally:
            self.stopped.append(call.id)
        raise AssertionError("nobody sleeps for ever")

    @tool(read_only=True, deadline_s=0.3)
    async def say(self, params: EchoParams, call: Call) -> EchoResult:
        """Hang."""
        return await self._hang(call)

    @tool(deadline_s=lambda _, params: float(params.text))
    async def count(self, params: EchoParams, call: Call) -> EchoResult:
        """Hang for as many seconds as one likes."""
        return await self._hang(call)


class Slower(Hanging):
    """Takes longer than `Waiting` may."""

    @tool(read_only=True, deadline_s=1.5)
    async def say(self, params: EchoParams, call: Call) -> EchoResult:
        """Hang."""
        return await self._hang(call)


class Waiting:
    """Has another do its work."""

    manifest: ClassVar[Manifest] = Manifest(name="other", title="Waiting", description="For tests.")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    @tool(deadline_s=1)
    async def have_said(self, params: EchoParams, call: Call) -> EchoResult:
        """Two calls at once, each of which takes longer than this tool may."""
        said: list[str] = []

        async def ask() -> None:
            try:
                await self._crew.call("echo.say", params, EchoResult, parent=call)
            except ToolError as failed:
                said.append(failed.failure.kind)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
        return EchoResult(text=", ".join(said), caller=call.caller, executions=0)


async def test_a_handler_that_hangs_is_stopped_and_its_call_answered_once(rig: Rig) -> None:
    """With what the deadline was, and whether to try again; asked again under its id, nothing is done again."""
    hanging, call_id = Hanging(), new_call_id()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, hanging):
            for _ in range(2):
                with pytest.raises(CallFailed, match=r"say was not done within its deadline of 0.3 s") as failed:
                    with anyio.fail_after(PATIENCE_S):
                        await caller.call("echo", "say", EchoParams(text=""), EchoResult, call_id=call_id)
                assert (failed.value.failure.kind, failed.value.retry) == ("timeout", True)
            with pytest.raises(CallFailed, match=r"0.05 s") as failed:
                await caller.call("echo", "count", EchoParams(text="0.05"), EchoResult, call_id=new_call_id())
            assert not failed.value.retry, "it writes"
            assert "may have had its effect" in failed.value.failure.way_out
    assert hanging.stopped[0] == call_id
    assert len(hanging.stopped) == 2


async def test_time_in_which_others_work_does_not_count(rig: Rig) -> None:
    """They have deadlines of their own."""
    async with (
        rig.connect("echo") as server,
        served(server, Slower()),
        rig.connect("other") as other,
        open_caller(other) as crew,
        served(other, Waiting(BusCrew(crew))),
        rig.connect("orchestrator") as bus,
        open_caller(bus) as caller,
    ):
        await put_mandate(bus, "r-aaaa", Mandate(calls={"other": ("echo.say",)}))
        with anyio.fail_after(PATIENCE_S):
            answer = await caller.call(
                "other", "have_said", EchoParams(text=""), EchoResult, call_id=new_call_id(), run="r-aaaa"
            )
    assert answer.text == "timeout, timeout"


def deadline_of(agent: Specialist, name: str, params: Model) -> float:
    (found,) = (each for each in tools_of(agent) if each.spec.name == name)
    return found.deadline_s(params)


def test_what_a_specialist_limits_by_itself_ends_before_the_deadline() -> None:
    """It tells more than a deadline does; a call that may take longer has a later one."""
    runner = Rehearsal(TestRunner).agent
    candidates = (Candidate(id="1", diff=""),)
    assert deadline_of(runner, "run", RunParams(run="r-aaaa", timeout_s=7200)) > 7200
    assert deadline_of(runner, "coverage", CoverageParams(run="r-aaaa", failing=("t",), budget_s=900)) > 900
    trying = TryPatchesParams(run="r-aaaa", candidates=candidates, failing=("t",), budget_s=900)
    assert deadline_of(runner, "try_patches", trying) > 900
    assert deadline_of(Rehearsal(StaticAnalyzer).agent, "check", CheckParams(run="r-aaaa")) > 2 * LIMITS.wall_s
    slow = EndpointConfig(timeout_s=3600, max_retries=1, structured=("tool",))
    model = Rehearsal(lambda room: ModelServer(room, models=ModelsConfig(endpoints={"slow": slow}))).agent
    assert deadline_of(model, "complete", DescribeParams(run="r-aaaa", role="writer")) > 4 * 3600
