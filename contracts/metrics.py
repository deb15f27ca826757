"""A run in figures, folded from its events."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model, Name
from contracts.spending import NOTHING, Spending


class AgentCalls(Model):
    """What one agent was asked for."""

    agent: Name
    calls: int
    failed: int
    seconds: float = Field(
        description="Wall seconds of its calls from intent to answer, summed, without people's waiting and down time."
    )


class CallCount(Model):
    """What one identity asked another for, as the ledger holds it: agents' own calls too."""

    caller: Name
    server: Name
    calls: int
    failed: int
    seconds: float = Field(description="Wall seconds from stored call to stored answer, summed over those answered.")


class AgentSpending(Model):
    """What one agent spent on models; `orchestrator` is the planner and the judge."""

    agent: Name
    spent: Spending


class StepTime(Model):
    """How long one step took, human waiting inside it excluded."""

    step: str
    seconds: float


class Metrics(Model):
    """Every wall second of a run is in exactly one of tools, human, down or overhead."""

    total_s: float = 0.0
    tools_s: float = Field(default=0.0, description="Some tool call was running.")
    human_s: float = Field(default=0.0, description="A gate waited for a person.")
    down_s: float = Field(default=0.0, description="No orchestrator worked on the run.")
    overhead_s: float = Field(default=0.0, description="Everything else: the orchestration itself.")
    ready_s: float = Field(
        default=0.0,
        description="Until the first handoff gate, else the end or now, without waiting for people and down time.",
    )
    calls: tuple[AgentCalls, ...] = ()
    steps: tuple[StepTime, ...] = ()
    rounds: int = Field(default=0, description="Rounds of proposing or writing begun.")
    fix_rounds: int = Field(default=0, description="Of those, the ones after the first.")
    human_edits: int = Field(default=0, description="Gates at which a person edited the plan or the diff.")
    spent: Spending = Field(default=NOTHING, description="On models, all agents together.")
    spending: tuple[AgentSpending, ...] = Field(default=(), description="By agent, in name order.")
    gates: int = 0
    resumes: int = 0
