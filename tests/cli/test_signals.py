"""What Ctrl-C does to a command, whenever it comes."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from rich.console import Console

from contracts.gate import GateDecision, GateRequest
from contracts.run import Event
from orchestrator.cli.conduct import Watching
from orchestrator.cli.shared import start, start_gently
from orchestrator.gates import Desk
from orchestrator.runs import state_of
from orchestrator.view import PlainView
from tests.orchestrator.crew import RUN, ScriptedCrew
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage, make_stage
from tests.orchestrator.test_gates import PLAN, PatientDesk


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return make_stage(tmp_path)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_lets_the_command_end_in_good_order() -> None:
    """What has to be put away is put away before the interruption is told."""
    done: list[str] = []

    async def command() -> None:
        try:
            ctrl_c()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                done.append("put away")

    with pytest.raises(KeyboardInterrupt):
        start(command)
    assert done == ["put away"]


def test_the_second_ends_it_at_once() -> None:
    """Whoever is tired of waiting does not wait."""

    async def command() -> None:
        try:
            ctrl_c()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                ctrl_c()
                await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        start(command)


def test_who_takes_the_first_up_sees_to_the_end_until_the_second() -> None:
    """The second lets the command end in good order, the third at once."""
    told: list[int] = []
    done: list[str] = []

    def gently(signum: int, end: Callable[[], object]) -> bool:
        told.append(signum)
        ctrl_c()
        return True

    async def command() -> None:
        try:
            ctrl_c()
            await anyio.sleep_forever()
        finally:
            done.append("in good order")
            with anyio.CancelScope(shield=True):
                ctrl_c()
                await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        start_gently(command, gently)
    assert (told, done) == ([signal.SIGINT], ["in good order"])


def test_one_that_comes_when_all_is_done_is_too_late() -> None:
    """The result counts; nothing breaks while the event loop is being closed."""
    kept: list[AsyncGenerator[None]] = []

    async def closed_late() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            ctrl_c()

    async def command() -> str:
        kept.append(closed_late())
        await anext(kept[0])
        return "done"

    assert start(command) == "done"


def test_afterwards_signals_do_what_they_did_before() -> None:
    """A command leaves no handler behind."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    start(anyio.sleep, 0)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@dataclass(frozen=True)
class Pressing:
    """A crew whose person presses Ctrl-C, or whose system says SIGTERM, while a tool is at work."""

    crew: ScriptedCrew
    at: str
    presses: int = 1
    how: signal.Signals = signal.SIGINT

    async def call(self, server: str, tool: str, *args: Any, **more: Any) -> Any:
        """See `Calls.call`."""
        if self.at == f"{server}.{tool}":
            for _ in range(self.presses):
                os.kill(os.getpid(), self.how)
            await anyio.sleep(0.05)
        return await self.crew.call(server, tool, *args, **more)


def conducted(stage: Stage, calls: Pressing, desk: Desk | None = None) -> tuple[str, str]:
    """A run that is broken off so: how it stands, and what was said."""
    to = Console(file=StringIO())
    watching = Watching(PlainView(to), to)
    conductor = replace(stage.conductor(desk), calls=calls, observer=watching)
    policy = AUTO_ALL if desk is None else PLAN
    with suppress(KeyboardInterrupt):
        start_gently(partial(conductor.start, TASK, WORKFLOW, policy), watching.stop)
    state = anyio.run(state_of, stage.bus, RUN)
    open_calls = [call.tool for call in state.calls if call.ended_at is None]
    assert isinstance(to.file, StringIO)
    return f"{state.status} {state.steps[-1].step} {open_calls}", to.file.getvalue()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stops_when_what_is_under_way_is_done(stage: Stage, how: signal.Signals) -> None:
    """The answer that was waited for is in the ledger, and nothing is asked after it; a person is told."""
    stands, said = conducted(stage, Pressing(stage.crew, "code_writer.propose", how=how))

    assert stands == "running propose/1 []"
    assert stage.crew.effects[-1] == "code_writer.propose"
    assert ("Ctrl-C again: at once" in said) == (how == signal.SIGINT)
    assert anyio.run(stage.conductor().resume, RUN).exit_code == 0


def test_a_second_ctrl_c_does_not_wait_for_it(stage: Stage) -> None:
    """What was under way is found by its id when the run is resumed."""
    stands, _ = conducted(stage, Pressing(stage.crew, "code_writer.propose", presses=2))

    assert stands == "running propose/1 ['propose']"
    assert anyio.run(stage.conductor().resume, RUN).exit_code == 0
    assert stage.crew.effects.count("code_writer.propose") == 1


def test_a_run_whose_end_comes_next_ends(stage: Stage) -> None:
    """There is nothing left to stop before, and its outcome is told."""

    class LastMoment(Watching):
        async def on_event(self, event: Event) -> None:
            await super().on_event(event)
            if event.what.event == "step-finished" and event.what.step == "close":
                ctrl_c()

    to = Console(file=StringIO())
    watching = LastMoment(PlainView(to), to)
    conductor = replace(stage.conductor(), observer=watching)

    outcome = start_gently(partial(conductor.start, TASK, WORKFLOW, AUTO_ALL), watching.stop)

    assert outcome.exit_code == 0
    assert isinstance(to.file, StringIO)
    assert "Ctrl-C again" in to.file.getvalue()


def test_whoever_waits_for_a_person_stops_at_once(stage: Stage) -> None:
    """A question may stand for days."""

    class Leaving(PatientDesk):
        async def ask(self, request: GateRequest, problem: str) -> GateDecision:
            ctrl_c()
            return await super().ask(request, problem)

    stands, said = conducted(stage, Pressing(stage.crew, ""), Leaving())

    assert stands == "waiting plan []"
    assert "at once" not in said
