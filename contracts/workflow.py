"""Workflows and plans: the loop as data."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.base import Model, Name, RelPath, RunId
from contracts.gate_policy import Policy
from contracts.spending import Allowance
from contracts.task import Criterion, Engine


class Budgets(Model):
    """Ceilings for one run."""

    search_s: float = Field(default=90, gt=0, le=24 * 3600, description="Wall seconds for one round of proposing.")
    test_timeout_s: float = Field(default=600, gt=0, le=24 * 3600, description="Wall seconds for one test run.")
    max_proposals: int = Field(default=5, ge=1, le=50)
    candidates: int = Field(default=1, ge=1, le=10, description="Versions of a change a model is asked for at once.")
    model: Allowance = Field(default_factory=Allowance, description="For asking models, the whole run.")
    agents: dict[Name, Allowance] = Field(default={}, description="The same for one agent: `code_writer`, …")


class WorkflowStep(Model):
    """One step of the written-down loop: who does it, and with which tools."""

    id: Name
    title: str
    agent: Name = Field(description="The server that does the work; `orchestrator` for what needs none.")
    uses: tuple[str, ...] = Field(default=(), description="`server.tool` names this step may call.")
    optional: bool = Field(default=False, description="A plan may leave it out.")


class WorkItem(Model):
    """One file to be written, by one agent."""

    id: Name
    agent: Name = Field(description="Who writes it, as far as the workflow allows: `code_writer`, …")
    path: RelPath = Field(description="The one file it changes or creates.")
    instruction: str = Field(min_length=1, max_length=8000, description="What to do there, for somebody who sees it.")
    reads: tuple[RelPath, ...] = Field(default=(), max_length=12, description="Files worth seeing for it.")
    after: tuple[Name, ...] = Field(default=(), description="Ids of items whose result it needs.")
    check: str = Field(default="", max_length=2000, description="How one can tell that it is done.")


class Workflow(Model):
    """A way of working (`configs/workflows/<name>.toml`)."""

    name: Name
    title: str
    description: str = ""
    inputs: tuple[Literal["tests", "request"], ...] = Field(default=(), description="What a task must bring.")
    purpose: Literal["bug", "feature", "existing"] = Field(default="bug", description="What its tests are to show.")
    steps: tuple[WorkflowStep, ...] = Field(min_length=1)
    work: tuple[WorkItem, ...] = Field(default=(), description="What is to be written, where no model plans it.")
    gates: Policy = Field(default_factory=Policy)
    fix_rounds: int = Field(default=2, ge=0, le=10, description="Further rounds after the first.")
    budgets: Budgets = Field(default_factory=Budgets)

    @model_validator(mode="after")
    def _steps_are_distinct(self) -> Self:
        ids = [step.id for step in self.steps]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise ValueError(f"step ids must be distinct; found twice: {', '.join(twice)}")
        return self


class Extension(Model):
    """How a workflow's file takes over another's: whatever it says itself stands instead, table by table."""

    extends: Name = Field(description="The workflow it takes over.")
    without: tuple[Name, ...] = Field(default=(), description="Ids of steps it leaves out.")
    instead: tuple[WorkflowStep, ...] = Field(default=(), description="Steps in place of those of the same id.")


class RelevantFile(Model):
    """A file that matters to the task."""

    path: RelPath
    why: str = Field(max_length=500)


class Plan(Model):
    """What a run is about to do; shown, editable, and then kept to."""

    kind: Literal["plan"] = "plan"
    run: RunId
    workflow: Name
    request: str = Field(description="What is wrong or wanted, in a person's words; goes to the agents.")
    failing: tuple[str, ...] = Field(description="Tests that fail now and must pass.")
    avoid: tuple[RelPath, ...] = Field(default=(), description="Path prefixes not to change.")
    steps: tuple[WorkflowStep, ...] = Field(description="In order; optional ones may be left out.")
    fix_rounds: int = Field(ge=0, le=10)
    budgets: Budgets
    facts: tuple[str, ...] = Field(default=(), description="What the plan rests on, in words.")
    engine: Engine = "search"
    goal: str = Field(default="", description="What the planner understood is wanted.")
    relevant: tuple[RelevantFile, ...] = ()
    work: tuple[WorkItem, ...] = Field(default=(), description="What a model planned to have written.")
    criteria: tuple[Criterion, ...] = ()

    def has(self, step: str) -> bool:
        """Whether `step` was left in."""
        return any(each.id == step for each in self.steps)
