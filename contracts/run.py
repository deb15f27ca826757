"""A run's events: an `Event` per message under `run.<run>.<event>`, saying `what` happened."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from contracts.base import CallId, Model, Name, RunId, Sha256, UtcTime
from contracts.failure import Failure
from contracts.gate import GateDecision
from contracts.gate_policy import GateKind, Policy
from contracts.rework import Rework
from contracts.spending import Spending
from contracts.task import Task
from contracts.workflow import Workflow

StepPath = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*(/[a-z0-9_-]+)*$", max_length=128)]
"""Where in the loop something happens: the plan's step, then what tells repetitions apart (`propose/2`)."""


class RunStartedEvent(Model):
    """Everything the run was asked and allowed, so that it never depends on files that change meanwhile."""

    event: Literal["started"] = "started"
    task: Task
    workflow: Workflow
    policy: Policy


class RunResumedEvent(Model):
    """An orchestrator took the run over; whoever held it before cannot write any more."""

    event: Literal["resumed"] = "resumed"
    by: str


class StepStartedEvent(Model):
    """A step began."""

    event: Literal["step-started"] = "step-started"
    step: StepPath
    title: str
    agent: Name


class StepFinishedEvent(Model):
    """A step ended."""

    event: Literal["step-finished"] = "step-finished"
    step: StepPath
    ok: bool
    summary: str


class CallIntendedEvent(Model):
    """Written before the call is sent, so that a crash can never lead to a second one."""

    event: Literal["call-intended"] = "call-intended"
    step: StepPath
    call_id: CallId
    server: Name
    tool: str
    params_sha256: Sha256


class CallFinishedEvent(Model):
    """The answer is in the server's stream; its digest is here."""

    event: Literal["call-finished"] = "call-finished"
    step: StepPath
    call_id: CallId
    result_sha256: Sha256 | None
    failure: Failure | None = None
    spent: Spending | None = Field(default=None, description="What the answer says it cost, if it says so.")


class ValueRecordedEvent(Model):
    """Something read from outside (clock, disk, chance); on re-execution it is this value again."""

    event: Literal["value-recorded"] = "value-recorded"
    step: StepPath
    value: JsonValue


class GateOpenedEvent(Model):
    """A question is put; it stands in full on the gate's request subject."""

    event: Literal["gate-opened"] = "gate-opened"
    step: StepPath
    gate: Name
    kind: GateKind
    subject_sha256: Sha256
    expires_at: UtcTime


class GateDecidedEvent(Model):
    """A valid decision was found; from here on it counts."""

    event: Literal["gate-decided"] = "gate-decided"
    gate: Name
    decision: GateDecision


class GateClosedEvent(Model):
    """No valid decision: it expired, or what was stored does not fit what was shown."""

    event: Literal["gate-closed"] = "gate-closed"
    gate: Name
    why: Literal["expired", "invalid"]
    reason: str


class RunHandedOverEvent(Model):
    """The branch is in the person's repository."""

    event: Literal["handed-over"] = "handed-over"
    branch: str
    head: str
    bundle: str = Field(description="The bundle's folder.")
    bundle_sha256: Sha256


class RunFailedEvent(Model):
    """It could not be done."""

    event: Literal["failed"] = "failed"
    reason: str
    way_out: str = ""
    over_budget: bool = Field(default=False, description="A budget ended it, before the call that could exceed it.")


class RunAbortedEvent(Model):
    """A person ended it."""

    event: Literal["aborted"] = "aborted"
    verdict: Literal["reject", "abort"]
    reason: str
    by: str


Ending = RunHandedOverEvent | RunFailedEvent | RunAbortedEvent
"""After one of these nothing more is done; that the result was reworked, or pruned, may still be noted."""


class ReworkMeasuredEvent(Model):
    """After the end, somebody had it measured how far what was merged is from what was handed over; the last counts."""

    event: Literal["rework-measured"] = "rework-measured"
    rework: Rework


class Pruned(Model):
    """Something that was kept of a run beside the ledger."""

    path: str = Field(description="Below the state directory.")
    bytes: int = Field(ge=0)
    sha256: Sha256 | None = Field(default=None, description="Of a file; a folder has none.")


class GivenUp(Model):
    """The body of a call or of an answer that was too large for a message; the message stays, and names its digest."""

    subject: str = Field(description="Of the message.")
    bytes: int = Field(gt=0)
    sha256: Sha256
    chunks: int = Field(gt=0, description="In how many messages it was kept.")


class RunPrunedEvent(Model):
    """After the end, what was kept of the run beside the ledger was removed on purpose."""

    event: Literal["pruned"] = "pruned"
    by: str
    policy: str = Field(description="The rule it fell under, in words.")
    removed: tuple[Pruned, ...]
    bodies: tuple[GivenUp, ...] = ()


What = Annotated[
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
    | Ending
    | ReworkMeasuredEvent
    | RunPrunedEvent,
    Field(discriminator="event"),
]
"""What can happen in a run."""


class Event(Model):
    """One thing that happened, in its place."""

    run: RunId
    n: int = Field(ge=1, description="Its place among the run's events; a gap means that the ledger is torn.")
    at: UtcTime
    what: What
