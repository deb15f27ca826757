"""Gates: what a person is shown, and what they decide. An approval is bound to what was seen."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.base import Model, Name, RunId, Sha256, UtcTime
from contracts.bundle import Bundle, Commit, Comparison
from contracts.code_writer import Proposal, Suspect, Tried
from contracts.gate_policy import GateKind
from contracts.sandbox import SandboxReport
from contracts.workflow import Plan

Verdict = Literal["approve", "modify", "reject", "abort"]
"""approve: go on. modify: go on with the edited plan or diff. reject: not this; the reason feeds the next
round where there is one, else the run ends. abort: end the run."""

Via = Literal["terminal", "command", "web", "host", "policy"]
"""The door a decision came through."""

VERDICTS: dict[GateKind, tuple[Verdict, ...]] = {
    "plan": ("approve", "modify", "reject", "abort"),
    "patches": ("approve", "modify", "reject", "abort"),
    "handoff": ("approve", "reject", "abort"),
    "escalation": ("approve", "reject", "abort"),
}
"""What may be answered at which kind of gate."""


class RefusedEdit(Model):
    """A person's own diff that does not apply, given back to be edited again."""

    diff: str
    reason: str


class PatchSet(Model):
    """Plausible patches for one round, best first, each with its evidence."""

    kind: Literal["patches"] = "patches"
    run: RunId
    round: int = Field(ge=1)
    head: str = Field(description="Commit the patches were made against.")
    proposals: tuple[Proposal, ...] = Field(min_length=1)
    engine: Literal["search", "model", "agent"] = Field(
        description="What made the proposals; agent: members of the crew that asked no model."
    )
    suspects: tuple[Suspect, ...] = ()
    tried: Tried | None = Field(default=None, description="For what was searched for.")
    commits: tuple[Commit, ...] = Field(default=(), description="What was written, commit by commit.")
    note: str = ""
    edit: RefusedEdit | None = Field(default=None, description="What a person would have had instead.")
    sandbox: SandboxReport


class Escalation(Model):
    """What the loop could not judge by itself."""

    kind: Literal["escalation"] = "escalation"
    run: RunId
    round: int = Field(ge=1)
    question: str = Field(description="What approving means.")
    diff: str = Field(description="What stands applied in the worktree.")
    comparison: Comparison


Subject = Annotated[Plan | PatchSet | Bundle | Escalation, Field(discriminator="kind")]


class GateRequest(Model):
    """A question that is open; stored as `gate.<run>.<gate>.request`."""

    run: RunId
    gate: Name
    subject_sha256: Sha256 = Field(description="sha256 of `subject.canonical()`: what is shown.")
    subject: Subject
    opened_at: UtcTime
    expires_at: UtcTime

    @property
    def kind(self) -> GateKind:
        """Which kind of gate this is."""
        return self.subject.kind

    @model_validator(mode="after")
    def _digest_is_of_the_subject(self) -> Self:
        if self.subject_sha256 != self.subject.digest():
            raise ValueError("subject_sha256 is not the digest of the subject")
        return self


class GateDecision(Model):
    """An answer; stored as `gate.<run>.<gate>.decision`, where only the first one fits."""

    run: RunId
    gate: Name
    subject_sha256: Sha256 = Field(description="Of the subject that was shown.")
    verdict: Verdict
    choice: int = Field(default=0, ge=0, description="patches: index of the proposal that is approved.")
    plan: Plan | None = Field(default=None, description="modify at a plan gate: the edited plan.")
    diff: str | None = Field(default=None, description="modify at a patches gate: the edited unified diff.")
    accepts: tuple[Name, ...] = Field(default=(), description="handoff: the risks that were accepted, by name.")
    reason: str = ""
    by: str
    via: Via
    at: UtcTime
