"""Forks: a new run that takes over what is still true of an old one, and makes the rest anew."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from bus.memory import MemoryBroker
from contracts.base import Model
from contracts.gate_policy import HUMAN, Policy
from contracts.run import RunStartedEvent
from contracts.spending import Allowance
from contracts.workspace import CloseResult, ExportParams, ExportResult
from orchestrator.borrowing import compare
from orchestrator.errors import CrewIncomplete
from orchestrator.fork import UnknownStep, forked, start_fork
from orchestrator.gates import decide
from orchestrator.policies import answer
from orchestrator.ports import Paths
from orchestrator.replay import replay
from orchestrator.run import Outcome
from orchestrator.runs import events_of
from tests.orchestrator.builders import BuildingCrew, build
from tests.orchestrator.crew import BRANCH, GOOD, RUN, ScriptedCrew, proposal, sha256
from tests.orchestrator.stage import AUTO_ALL
from tests.orchestrator.test_resume import Killed, frail
from tests.replay.kept import KeptStage

NEW = "r-fork1"
UNLIMITED = Allowance()


class _TwoRuns(ScriptedCrew):
    """Packs the branch in the folder of whichever run asks."""

    def workspace_export(self, params: Model) -> Model:
        assert isinstance(params, ExportParams)
        (self.work / params.run).mkdir(parents=True, exist_ok=True)
        (self.work / params.run / "branch.bundle").write_bytes(BRANCH)
        return ExportResult(file="branch.bundle", sha256=sha256(BRANCH), head=self.head, commits=self.commits)

    def workspace_close(self, params: Model) -> Model:
        return CloseResult(removed=True)

    def forget(self) -> None:
        """A new run gets a worktree of its own."""
        self.applied, self.commits = "", 0
        self.effects.clear()


class _Searching(_TwoRuns):
    """Mends what a test shows."""


@dataclass
class _Building(BuildingCrew, _TwoRuns):
    """Builds what a model planned."""


@pytest.fixture
def kept(tmp_path: Path) -> KeptStage:
    """A stage on which several runs can be made."""
    broker, work = MemoryBroker(), tmp_path / "work"
    return KeptStage(broker.connect("orchestrator"), broker, _Searching(work), Paths.below(tmp_path))


async def fork(kept: KeptStage, step: str, policy: Policy = AUTO_ALL, *, old: str = RUN, new: str = NEW) -> Outcome:
    crew = kept.crew
    assert isinstance(crew, _TwoRuns)
    crew.forget()
    begin = forked(await events_of(kept.bus, old), new, step, models={}, budget=UNLIMITED, policy=policy)
    offered = frozenset(tool for each in begin[0].workflow.steps for tool in each.uses)
    return await start_fork(kept.conductor(offered=offered), begin)


async def test_what_came_before_the_step_is_not_asked_again(kept: KeptStage) -> None:
    """The tests' results are taken over, the workspace makes a worktree of the new run's own, the search runs."""
    await kept.run()
    outcome = await fork(kept, "propose")
    assert outcome.state.status == "handed_over"
    assert kept.crew.effects[:2] == ["workspace.open", "code_writer.propose"]
    assert kept.crew.effects.count("test_runner.run") == 1
    taken, anew = compare(await events_of(kept.bus, NEW), await events_of(kept.bus, RUN))
    assert taken == ("reproduce/tests", "reproduce/suite")
    assert anew == ()


async def test_from_a_late_step_nothing_that_was_paid_for_is_asked(kept: KeptStage) -> None:
    """Forked at the end, every answer but the workspace's is the old one."""
    await kept.run()
    assert (await fork(kept, "finalize")).exit_code == 0
    assert {effect.split(".")[0] for effect in kept.crew.effects} == {"workspace"}


async def test_what_a_model_planned_and_wrote_is_taken_over(kept: KeptStage) -> None:
    """Forked where the tests run, no model and no writer is asked, and nothing counts as spent."""
    crew = kept.crew = _Building(kept.paths.work)
    assert (await build(kept)).exit_code == 0
    crew.tree.clear()
    outcome = await fork(kept, "test")
    assert outcome.exit_code == 0
    assert not {effect.split(".")[0] for effect in crew.effects} & {"model", "code_writer", "test_writer"}
    assert outcome.state.metrics.spent.requests == 0


async def test_gates_are_asked_again(kept: KeptStage) -> None:
    """An approval is bound to what was seen in its own run."""
    await kept.run()
    outcome = await fork(kept, "finalize", AUTO_ALL.model_copy(update={"plan": HUMAN}))
    assert outcome.waiting is not None
    assert outcome.waiting.gate == "plan"


async def test_other_code_in_the_worktree_is_tested_anew(kept: KeptStage) -> None:
    """A person chooses another patch this time: what the tests said of the first one is not taken for it."""
    other = GOOD.replace("a + b", "b + a")
    kept.crew.proposals = (proposal(GOOD), proposal(other))
    await kept.run()
    waiting = (await fork(kept, "finalize", AUTO_ALL.model_copy(update={"patches": HUMAN}))).waiting
    assert waiting is not None
    await decide(kept.bus, waiting, answer(waiting, "approve", by="ann", via="command", choice=1))
    assert (await kept.conductor().resume(NEW)).exit_code == 0
    assert kept.crew.applied == other
    assert kept.crew.effects.count("test_runner.run") == 1
    assert kept.crew.effects.count("static_analyzer.check") == 1
    _, anew = compare(await events_of(kept.bus, NEW), await events_of(kept.bus, RUN))
    assert "test/1/suite" in anew


async def test_a_fork_can_be_replayed_resumed_and_forked(kept: KeptStage) -> None:
    """What was taken over stands in its own journal: nothing of the old run is needed any more."""
    await kept.run()
    await fork(kept, "finalize")
    alone = await kept.recording(NEW)
    assert (await replay(alone)).verdict == "identical"
    again = await fork(kept, "finalize", old=NEW, new="r-fork2")
    assert again.exit_code == 0
    assert {effect.split(".")[0] for effect in kept.crew.effects} == {"workspace"}
    assert (await replay(await kept.recording("r-fork2"))).verdict == "identical"


async def test_a_fork_that_was_killed_goes_on_as_one(kept: KeptStage) -> None:
    """Killed at many places and resumed, it asks for nothing that the old run had paid for."""
    await kept.run()
    steady = kept.bus
    for dies_at in range(3, 40, 4):
        new = f"r-fork{dies_at}"
        kept.bus = frail(kept, dies_at, dies_at % 2 == 0)
        with pytest.raises(Killed):
            await fork(kept, "finalize", new=new)
        kept.bus = steady
        assert (await kept.conductor().resume(new)).exit_code == 0
        assert {effect.split(".")[0] for effect in kept.crew.effects} == {"workspace"}


async def test_a_fork_begins_at_the_same_commit_with_what_was_asked_for(kept: KeptStage) -> None:
    """Its base is the old run's, however far the branch has come; models and money are the new ones."""
    await kept.run()
    old = await events_of(kept.bus, RUN)
    budget = Allowance(usd=Decimal("0.5"), tokens=700, calls=None)
    begin, _ = forked(old, NEW, "propose", models={"writer": "other"}, budget=budget, policy=Policy())
    was = old[0].what
    assert isinstance(was, RunStartedEvent)
    assert begin.task.base == "b" * 40
    assert begin.task.models == {"writer": "other"}
    new, before = begin.workflow.budgets.model, was.workflow.budgets.model
    assert (new.usd, new.tokens, new.calls) == (Decimal("0.5"), 700, before.calls)
    assert begin.task.request == was.task.request


async def test_without_the_crew_nothing_is_begun(kept: KeptStage) -> None:
    """A fork that could not be finished leaves no trace."""
    await kept.run()
    begin = forked(await events_of(kept.bus, RUN), NEW, "propose", models={}, budget=UNLIMITED, policy=AUTO_ALL)
    with pytest.raises(CrewIncomplete):
        await start_fork(kept.conductor(offered=frozenset()), begin)
    assert not [each async for each in kept.bus.history("LEDGER_runs", f"run.{NEW}.>")]


async def test_a_step_the_old_run_did_not_have_is_refused(kept: KeptStage) -> None:
    """Those it has are listed."""
    await kept.run()
    with pytest.raises(UnknownStep, match=r"no step nothing; it has ingest, reproduce, plan, propose/1"):
        await fork(kept, "nothing")
