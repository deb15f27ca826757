"""A run's events, as they stand in the ledger under `run.<run>.<event>`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter

from contracts.base import CallId, Model, Name, RunId, Sha256, UtcTime
from contracts.failure import Failure
from contracts.gate import GateDecision
from contracts.gate_policy import GateKind, Policy
from contracts.task import Task
from contracts.workflow import Workflow

StepPath = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*(/[a-z0-9_-]+)*$", max_length=128)]
"""Where in the loop something happens: the plan's step, then what tells repetitions apart (`propose/2`)."""


class RunEvent(Model):
    """What all events carry."""

    run: RunId
    n: int = Field(ge=1, description="Its place among the run's events; a gap means that the ledger is torn.")
    at: UtcTime


class RunStartedEvent(RunEvent):
    """Everything the run was asked and allowed, so that it never depends on files that change meanwhile."""

    event: Literal["started"] = "started"
    task: Task
    workflow: Workflow
    policy: Policy


class RunResumedEvent(RunEvent):
    """An orchestrator took the run over; whoever held it before cannot write any more."""

    event: Literal["resumed"] = "resumed"
    by: str


class StepStartedEvent(RunEvent):
    """A step began."""

    event: Literal["step-started"] = "step-started"
    step: StepPath
    title: str
    agent: Name


class StepFinishedEvent(RunEvent):
    """A step ended."""

    event: Literal["step-finished"] = "step-finished"
    step: StepPath
    ok: bool
    summary: str


class CallIntendedEvent(RunEvent):
    """Written before the call is sent, so that a crash can never lead to a second one."""

    event: Literal["call-intended"] = "call-intended"
    step: StepPath
    call_id: CallId
    server: Name
    tool: str
    params_sha256: Sha256


class CallFinishedEvent(RunEvent):
    """The answer is in the server's stream; its digest is here."""

    event: Literal["call-finished"] = "call-finished"
    step: StepPath
    call_id: CallId
    result_sha256: Sha256 | None
    failure: Failure | None = None


class ValueRecordedEvent(RunEvent):
    """Something read from outside (clock, disk, chance); on re-execution it is this value again."""

    event: Literal["value-recorded"] = "value-recorded"
    step: StepPath
    model: str = Field(description="Name of the model the value is.")
    value: JsonValue


class GateOpenedEvent(RunEvent):
    """A question is put; it stands in full on the gate's request subject."""

    event: Literal["gate-opened"] = "gate-opened"
    step: StepPath
    gate: Name
    kind: GateKind
    subject_sha256: Sha256
    expires_at: UtcTime


class GateDecidedEvent(RunEvent):
    """A valid decision was found; from here on it counts."""

    event: Literal["gate-decided"] = "gate-decided"
    gate: Name
    decision: GateDecision


class GateClosedEvent(RunEvent):
    """No valid decision: it expired, or what was stored does not fit what was shown."""

    event: Literal["gate-closed"] = "gate-closed"
    gate: Name
    why: Literal["expired", "invalid"]
    reason: str


class RunHandedOverEvent(RunEvent):
    """The branch is in the person's repository."""

    event: Literal["handed-over"] = "handed-over"
    branch: str
    head: str
    bundle: str = Field(description="The bundle's folder.")
    bundle_sha256: Sha256


class RunFailedEvent(RunEvent):
    """It could not be done."""

    event: Literal["failed"] = "failed"
    reason: str
    way_out: str = ""


class RunAbortedEvent(RunEvent):
    """A person ended it."""

    event: Literal["aborted"] = "aborted"
    verdict: Literal["reject", "abort"]
    reason: str
    by: str


Event = Annotated[
    RunStartedEvent
    | RunResumedEvent
    | StepStartedEvent
    | StepFinishedEvent
    | CallIntendedEvent
    | CallFinishedEvent
    | ValueRecordedEvent
    | GateOpenedEvent
    | GateDecidedEvent
    | GateClosedEvent
    | RunHandedOverEvent
    | RunFailedEvent
    | RunAbortedEvent,
    Field(discriminator="event"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads any event: `EVENT.validate_json(body)`."""
