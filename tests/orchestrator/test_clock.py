"""A run's time, whatever is done to the machine's clock."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from contracts.base import Model
from contracts.spending import Allowance
from contracts.test_runner import RunParams
from orchestrator import journal
from orchestrator.clock import RunClock
from orchestrator.runs import events_of, list_runs
from tests.orchestrator.crew import RUN, ScriptedCrew
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_gates import PLAN

DAY = timedelta(days=1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Machine:
    """A clock on the wall that can be set, and one that cannot."""

    def __init__(self) -> None:
        self.wall = NOON
        self.counted = 1000.0

    def clock(self) -> RunClock:
        return RunClock(lambda: self.wall, lambda: self.counted)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.counted += seconds


def test_time_passes_as_it_passes(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said about a clock that nobody sets."""
    machine = Machine()
    clock = machine.clock()
    machine.passes(3)
    assert clock.now() == NOON + timedelta(seconds=3)
    assert not caplog.records


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_a_clock_that_is_set_changes_no_duration_and_is_said_once(
    caplog: pytest.LogCaptureFixture, jump: timedelta
) -> None:
    """Each time it is set, by how much."""
    machine = Machine()
    clock = machine.clock()
    machine.wall += jump
    machine.passes(3)
    assert clock.now() == clock.now() == NOON + timedelta(seconds=3)
    machine.wall -= jump
    assert clock.now() == NOON + timedelta(seconds=3)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 2
    assert f"{jump.total_seconds():+.0f} s" in said[0]


def test_what_was_written_down_has_happened_already() -> None:
    """A run that a machine with a clock ahead began goes on from there; one of the past goes on from now."""
    machine = Machine()
    ahead, behind = machine.clock(), machine.clock()
    ahead.not_before(NOON + DAY)
    behind.not_before(NOON - DAY)
    machine.passes(5)
    assert (ahead.now(), behind.now()) == (NOON + DAY + timedelta(seconds=5), NOON + timedelta(seconds=5))


class Setting(ScriptedCrew):
    """Somebody sets the clock while tests run."""

    machine: Machine
    jump: timedelta

    def test_runner_run(self, params: RunParams) -> Model:
        self.machine.wall += self.jump
        self.machine.passes(1)
        return super().test_runner_run(params)


@pytest.fixture
def machine(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Whose clocks the journal reads."""
    machine = Machine()
    monkeypatch.setattr(journal, "RunClock", machine.clock)
    return machine


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
async def test_a_run_whose_clock_is_set_keeps_within_its_budget(
    stage: Stage, machine: Machine, jump: timedelta
) -> None:
    """Three tests that take a second each are three seconds, in whatever year."""
    stage.crew = Setting(stage.crew.work)
    stage.crew.machine, stage.crew.jump = machine, jump
    budgets = WORKFLOW.budgets.model_copy(update={"model": Allowance(wall_s=60)})
    workflow = WORKFLOW.model_copy(update={"budgets": budgets})
    outcome = await stage.conductor().start(TASK, workflow, AUTO_ALL)
    assert outcome.exit_code == 0, outcome.state.reason
    assert outcome.state.metrics.total_s == outcome.state.metrics.tools_s == 3


async def test_a_run_resumed_in_its_own_past_goes_on_from_its_last_event(stage: Stage, machine: Machine) -> None:
    """Its events' times rise, as they do."""
    await stage.run(PLAN)
    machine.wall -= DAY
    outcome = await stage.conductor().resume(RUN, AUTO_ALL)
    assert outcome.exit_code == 0
    times = [event.at for event in await events_of(stage.bus, RUN)]
    assert times == sorted(times)


async def test_the_last_run_is_the_one_begun_last_in_whatever_year(stage: Stage, machine: Machine) -> None:
    """As `last` means it."""
    for name in ("r-bbbb", "r-aaaa", "r-cccc"):
        await stage.conductor().start(TASK.model_copy(update={"run": name}), WORKFLOW, PLAN)
        machine.wall -= DAY
    assert [state.run for state in (await list_runs(stage.bus)).runs] == ["r-cccc", "r-aaaa", "r-bbbb"]
