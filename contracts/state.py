"""A run as it stands: the fold of its events."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name, Sha256, UtcTime
from contracts.failure import Failure
from contracts.gate import GateDecision
from contracts.gate_policy import GateKind
from contracts.metrics import Metrics
from contracts.rework import Rework
from contracts.run import RunPrunedEvent
from contracts.task import Task
from contracts.trace import TraceId

RunStatus = Literal["running", "waiting", "handed_over", "failed", "aborted"]
"""running: not ended, whether or not an orchestrator is at work on it now. waiting: a gate is open."""

ENDED: tuple[RunStatus, ...] = ("handed_over", "failed", "aborted")


class CallState(Model):
    """One call of the orchestrator's."""

    call_id: str
    server: Name
    tool: str
    started_at: UtcTime
    ended_at: UtcTime | None = None
    failure: Failure | None = None


class StepState(Model):
    """One step, as far as it got."""

    step: str
    title: str
    agent: Name
    status: Literal["running", "done", "failed"] = "running"
    started_at: UtcTime
    ended_at: UtcTime | None = None
    summary: str = ""


class GateState(Model):
    """One gate: open while it has neither a decision nor a reason it was closed for."""

    gate: Name
    kind: GateKind
    subject_sha256: Sha256
    opened_at: UtcTime
    expires_at: UtcTime
    decision: GateDecision | None = None
    closed: str = ""


class RunState(Model):
    """What `show`, `runs`, `watch` and the live view draw."""

    task: Task
    trace_id: TraceId = Field(description="Of everything that belongs to the run.")
    status: RunStatus
    started_at: UtcTime
    updated_at: UtcTime
    ended_at: UtcTime | None = None
    steps: tuple[StepState, ...] = ()
    calls: tuple[CallState, ...] = Field(default=(), description="The orchestrator's own, in order.")
    gates: tuple[GateState, ...] = ()
    reason: str = Field(default="", description="Why it ended, unless it was handed over.")
    way_out: str = ""
    over_budget: bool = False
    by: str = Field(default="", description="Who ended it, if a person did.")
    branch: str = ""
    head: str = ""
    bundle: str = Field(default="", description="The bundle's folder.")
    bundle_sha256: Sha256 | None = None
    metrics: Metrics = Metrics()
    rework: Rework | None = Field(default=None, description="As it was measured last.")
    pruned: RunPrunedEvent | None = Field(default=None, description="What was removed on purpose, the last time.")
    pruned_at: UtcTime | None = None
    events: int = 0

    @property
    def run(self) -> str:
        """The run's name."""
        return self.task.run

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.status in ENDED

    @property
    def open_gate(self) -> GateState | None:
        """The gate that waits for a decision."""
        return next((gate for gate in reversed(self.gates) if gate.decision is None and not gate.closed), None)
