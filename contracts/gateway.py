"""The gateway's own tools: starting runs from an MCP host, following them, and answering their gates."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Model, Name, RunId, Sha256, UtcTime
from contracts.bundle import Comparison, CriterionStatus, SuiteStatus
from contracts.gate import Verdict
from contracts.gate_policy import GateKind
from contracts.state import RunStatus
from contracts.task import Engine
from contracts.test_runner import Evidence

Word = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f]+$")]
"""One line."""

WAIT_S = 50.0
"""Most hosts give up on a call after a minute."""


class RunWorkflowParams(Model):
    """What the crew is asked to do, and where."""

    workflow: Literal["fix-bug", "fix-report", "add-endpoint", "add-option", "write-tests", "write-docs"] = Field(
        description="fix-bug: a failing test shows the bug; fix-report: words do. The others: as their names say."
    )
    repo: str = Field(
        max_length=4096,
        pattern=r"^/[^\x00-\x1f]*$",
        description="Absolute path of the git checkout. It is only read; what is not committed does not count.",
    )
    request: str = Field(default="", max_length=100_000, description="What is wrong or wanted, in words.")
    tests: tuple[Word, ...] = Field(
        default=(),
        max_length=50,
        description="fix-bug only: tests that fail and must pass, as the runner names them: tests/test_x.py::test_y.",
    )
    criteria: tuple[Word, ...] = Field(
        default=(), max_length=50, description="Acceptance criteria; each is answered in the bundle."
    )
    base: Word = Field(default="HEAD", description="Branch, tag or commit to start from.")
    avoid: tuple[Word, ...] = Field(default=(), max_length=50, description="Path prefixes no patch may change.")
    engine: Engine = Field(default="auto", description="fix-bug only: who makes patches.")
    budget_usd: Decimal | None = Field(default=None, gt=0, description="What asking models may cost, in US dollars.")
    budget_tokens: int | None = Field(default=None, gt=0, description="Tokens models may read and write.")

    @model_validator(mode="after")
    def _fits_its_workflow(self) -> Self:
        if (self.workflow == "fix-bug") != bool(self.tests):
            raise ValueError("fix-bug needs `tests`, and no other workflow takes any; without a test, use fix-report")
        if self.workflow != "fix-bug" and not self.request.strip():
            raise ValueError(f"{self.workflow} needs a `request`")
        if self.workflow != "fix-bug" and self.engine != "auto":
            raise ValueError("`engine` is for fix-bug")
        return self


class RunWorkflowResult(Model):
    """A run that has been started."""

    run: RunId
    resource: str = Field(description="Where the run can be read.")
    next: str = Field(description="How to follow it.")


class GetRunParams(Model):
    """Which run."""

    run: RunId


class WaitRunParams(Model):
    """Which run, and how long to wait."""

    run: RunId
    timeout_s: float = Field(
        default=WAIT_S,
        ge=0,
        le=3600,
        description="Seconds, counted anew after each answer of a person. Then the run is reported as it stands.",
    )


class RunStep(Model):
    """One step, as far as it got."""

    title: str
    agent: Name
    status: Literal["running", "done", "failed"]
    summary: str = ""


class OpenGate(Model):
    """A question that waits for a person."""

    gate: Name
    kind: GateKind
    subject_sha256: Sha256 = Field(description="Of what is shown: an answer names it.")
    verdicts: tuple[Verdict, ...] = Field(description="What may be answered.")
    shown: str = Field(description="What a person has to see, cut where it is very long.")
    to_accept: tuple[Name, ...] = Field(default=(), description="Risks that whoever approves has to accept by name.")
    resource: str = Field(description="Where all of it can be read.")
    expires_at: UtcTime


class RunReport(Model):
    """A run as it stands."""

    run: RunId
    workflow: Name
    repo: str
    request: str
    status: RunStatus
    steps: tuple[RunStep, ...]
    gate: OpenGate | None = Field(default=None, description="The question it waits on.")
    reason: str = Field(default="", description="Why it ended, unless it was handed over.")
    way_out: str = ""
    by: str = Field(default="", description="Who ended it, if a person did.")
    branch: str = Field(default="", description="The result, in the person's repository.")
    head: str = ""
    resources: tuple[str, ...] = Field(description="What can be read of it.")
    note: str = Field(default="", description="What became of an answer.")
    next: str = Field(description="What to do now.")


class GateAnswer(Model):
    """An answer at a gate, as it is filled in."""

    verdict: Verdict
    reason: str = Field(default="", max_length=10_000, description="Needed to reject; the next round works with it.")
    choice: int = Field(default=0, ge=0, description="At a patches gate: which proposal, counted from 0.")
    plan: str = Field(default="", max_length=1 << 20, description="modify at a plan gate: the whole edited plan, JSON.")
    diff: str = Field(default="", max_length=1 << 20, description="modify at a patches gate: the edited unified diff.")


class DecideGateParams(GateAnswer):
    """An answer, as the host understood it, and what it is about."""

    run: RunId
    subject_sha256: Sha256 = Field(description="Of what was shown, as get_run and wait_run say it.")


class DecideGateResult(Model):
    """Whether it was decided."""

    run: RunId
    gate: Name
    decided: bool
    note: str
    next: str


class RunLine(Model):
    """A run among others."""

    run: RunId
    workflow: Name
    repo: str
    request: str
    status: RunStatus
    started_at: UtcTime
    branch: str = ""


class RunList(Model):
    """The runs there are (`podium://runs`)."""

    runs: tuple[RunLine, ...] = Field(description="Newest first.")
    torn: tuple[str, ...] = Field(default=(), description="Runs of which the ledger has lost something, in words.")


class TestReport(Model):
    """How the tests stand with a run's change (`podium://runs/{id}/tests`)."""

    __test__ = False

    run: RunId
    failing: tuple[str, ...] = Field(default=(), description="Tests the run is about.")
    before: SuiteStatus | None = Field(default=None, description="The whole suite before; once there is a bundle.")
    after: SuiteStatus | None = Field(default=None, description="The whole suite with the change.")
    comparison: Comparison | None = None
    proposals: tuple[Evidence, ...] = Field(default=(), description="Of the patches that were shown, best first.")
    criteria: tuple[CriterionStatus, ...] = ()
