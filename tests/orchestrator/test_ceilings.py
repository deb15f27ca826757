"""Budgets of wall time: the next call is refused; people's waiting and down time are nobody's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contracts.base import Model, utc_now
from contracts.gate_policy import HUMAN
from contracts.run import CallFinishedEvent, CallIntendedEvent, GateDecidedEvent, GateOpenedEvent, RunResumedEvent, What
from contracts.spending import Allowance
from contracts.test_runner import RunParams
from contracts.workflow import Budgets
from orchestrator import ceilings, journal
from orchestrator.ceilings import check_time
from orchestrator.clock import RunClock
from orchestrator.errors import OverBudget
from orchestrator.gates import decide
from orchestrator.metrics import measure
from orchestrator.run import Outcome
from tests.orchestrator.crew import RUN, ScriptedCrew
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_folds import SHA, START, at_times, decision
from tests.orchestrator.test_gates import approve

HOUR = 3600.0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self._began = utc_now()
        self._passed = 0.0

    def wall(self) -> datetime:
        return self._began + timedelta(seconds=self._passed)

    def counted(self) -> float:
        return self._passed

    def passes(self, seconds: float) -> None:
        self._passed += seconds


class SlowCrew(ScriptedCrew):
    """Running tests takes a hundred seconds."""

    clock: Clock

    def test_runner_run(self, params: RunParams) -> Model:
        self.clock.passes(100)
        return super().test_runner_run(params)


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The journal's clock, and a crew that is slow by it."""
    clock = Clock()
    monkeypatch.setattr(journal, "RunClock", lambda: RunClock(clock.wall, clock.counted))
    stage.crew = SlowCrew(stage.crew.work)
    stage.crew.clock = clock
    return clock


def limited(run: float | None = None, **agents: float) -> Budgets:
    """Budgets of seconds."""
    return WORKFLOW.budgets.model_copy(
        update={
            "model": Allowance(wall_s=run),
            "agents": {name: Allowance(wall_s=seconds) for name, seconds in agents.items()},
        }
    )


async def run(stage: Stage, budgets: Budgets, **gates: object) -> Outcome:
    workflow = WORKFLOW.model_copy(update={"budgets": budgets})
    return await stage.conductor().start(TASK, workflow, AUTO_ALL.model_copy(update=gates))


async def test_a_run_whose_time_is_up_makes_no_further_call_and_leaves_nothing(stage: Stage, clock: Clock) -> None:
    """Exit code 5, what the time went on in the reason, the worktree removed, no branch."""
    outcome = await run(stage, limited(150))
    assert (outcome.exit_code, outcome.state.over_budget) == (5, True)
    assert "worked for 200 s, and may for 150 s; most of it on test_runner (200 s)" in outcome.state.reason
    assert "--budget-minutes" in outcome.state.way_out
    assert stage.crew.effects == ["workspace.open", "test_runner.run", "test_runner.run", "workspace.close"]
    assert stage.checkout.delivered == []
    assert not [call for call in outcome.state.calls if call.failure]


async def test_an_agents_time_holds_that_agent_alone(stage: Stage, clock: Clock) -> None:
    """It is refused when it is needed again; until then the others go on."""
    outcome = await run(stage, limited(test_runner=200))
    assert outcome.exit_code == 5
    assert "test_runner has worked for 200 s, and may for 200 s." in outcome.state.reason
    assert "[budgets.agents.test_runner]" in outcome.state.way_out
    assert stage.crew.effects.count("test_runner.run") == 2
    assert "code_writer.propose" in stage.crew.effects
    assert stage.checkout.delivered == []


async def test_a_person_may_think_for_longer_than_the_run_may_work(stage: Stage, clock: Clock) -> None:
    """An hour at the gate, and another one until somebody resumes: the budget is as it was."""
    waiting = (await run(stage, limited(350), plan=HUMAN)).waiting
    assert waiting is not None
    clock.passes(HOUR)
    await decide(stage.bus, waiting, approve(waiting))
    clock.passes(HOUR)
    outcome = await stage.conductor().resume(RUN)
    assert outcome.exit_code == 0, outcome.state.reason
    assert (outcome.state.metrics.human_s, outcome.state.metrics.ready_s) == (2 * HOUR, 300)


async def test_a_call_that_nothing_carries_ends_the_run_before_it_is_written_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No resume makes it again, and no replay looks for its answer."""
    monkeypatch.setattr(ceilings, "MAX_PARAMS", 40)  # enough to close
    outcome = await run(stage, limited())
    assert outcome.exit_code == 1
    assert "workspace.open would be sent" in outcome.state.reason
    assert "at most 40 can be" in outcome.state.reason
    assert outcome.state.way_out
    assert stage.crew.effects == ["workspace.close"]


def call(number: int, server: str) -> tuple[CallIntendedEvent, CallFinishedEvent]:
    step, call_id = f"step/{number}", f"{number:032x}"
    intent = CallIntendedEvent(step=step, call_id=call_id, server=server, tool="do", params_sha256=SHA)
    return intent, CallFinishedEvent(step=step, call_id=call_id, result_sha256=SHA)


def gone(*whats: tuple[What, float], budgets: Budgets, server: str) -> str:
    """Why `server` may not be asked after `whats`, each with the seconds before it; "" when it may."""
    try:
        check_time(budgets, measure(at_times(whats)), server)
    except OverBudget as over:
        return over.reason
    return ""


def test_the_time_in_which_a_call_had_no_orchestrator_is_not_its_agents() -> None:
    """Killed while an agent worked, and resumed an hour later."""
    intent, done = call(1, "code_writer")
    history: tuple[tuple[What, float], ...] = ((intent, 0), (RunResumedEvent(by="me"), HOUR), (done, 5))
    assert gone(*history, budgets=limited(6, code_writer=6), server="code_writer") == ""
    assert "worked for 5 s" in gone(*history, budgets=limited(code_writer=5), server="code_writer")


def test_a_gate_beside_a_call_is_peoples_time() -> None:
    """Whatever else is under way."""
    intent, done = call(1, "code_writer")
    opened = GateOpenedEvent(step="plan", gate="plan", kind="plan", subject_sha256=SHA, expires_at=START)
    decided = GateDecidedEvent(gate="plan", decision=decision("plan"))
    history: tuple[tuple[What, float], ...] = ((intent, 0), (opened, 1), (decided, HOUR), (done, 1))
    assert gone(*history, budgets=limited(3, code_writer=3), server="code_writer") == ""


def test_what_is_asked_of_a_model_is_the_orchestrators_time() -> None:
    """`[budgets.agents.orchestrator]` is the planner's and the judge's."""
    intent, done = call(1, "model")
    budgets = limited(orchestrator=10)
    assert "orchestrator has worked for 10 s" in gone((intent, 0), (done, 10), budgets=budgets, server="model")
    assert gone((intent, 0), (done, 10), budgets=budgets, server="code_writer") == ""


def test_tidying_up_is_always_allowed() -> None:
    """A run out of time still removes what it made."""
    intent, done = call(1, "code_writer")
    assert gone((intent, 0), (done, HOUR), budgets=limited(1), server="workspace") == ""
