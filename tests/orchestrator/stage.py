"""A conductor over the in-memory bus, with a crew that follows a script."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bus.memory import MemoryBroker, MemoryBus
from contracts.gate_policy import AUTO, Policy
from contracts.task import Task
from orchestrator.config import load_workflow
from orchestrator.gates import Desk
from orchestrator.ports import Paths
from orchestrator.run import Conductor, Outcome
from tests.orchestrator.crew import RUN, TEST, ScriptedCheckout, ScriptedCrew, Watcher

WORKFLOW = load_workflow("fix-bug")
AUTO_ALL = Policy(plan=AUTO, patches=AUTO, handoff=AUTO)
TASK = Task(run=RUN, workflow="fix-bug", repo="/repo", request="y is wrong", tests=(TEST,), by="ann")
OFFERED = frozenset(tool for step in WORKFLOW.steps for tool in step.uses)


@dataclass
class Stage:
    """Everything a run needs, in memory but for the bundle's folder."""

    bus: MemoryBus
    broker: MemoryBroker
    crew: ScriptedCrew
    paths: Paths
    checkout: ScriptedCheckout = field(default_factory=ScriptedCheckout)
    watcher: Watcher = field(default_factory=Watcher)

    def conductor(self, desk: Desk | None = None, offered: frozenset[str] = OFFERED) -> Conductor:
        return Conductor(
            bus=self.bus,
            calls=self.crew,
            offered=offered,
            checkout=self.checkout,
            paths=self.paths,
            observer=self.watcher,
            desk=desk,
        )

    async def run(self, policy: Policy = AUTO_ALL, desk: Desk | None = None, fix_rounds: int = 2) -> Outcome:
        workflow = WORKFLOW.model_copy(update={"fix_rounds": fix_rounds})
        return await self.conductor(desk).start(TASK, workflow, policy)


def make_stage(tmp_path: Path) -> Stage:
    """A stage of one's own."""
    broker = MemoryBroker()
    work = tmp_path / "work"
    return Stage(broker.connect("orchestrator"), broker, ScriptedCrew(work), Paths.below(tmp_path))
