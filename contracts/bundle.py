"""What is handed over: the patch set with everything a reviewer wants to know about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name, RelPath, RunId, Sha256
from contracts.code_writer import Proposal, Tried
from contracts.metrics import Metrics
from contracts.patch import Patch
from contracts.sandbox import SandboxLevel
from contracts.static_analyzer import Finding
from contracts.task import Criterion
from contracts.test_runner import Counts, SuiteOutcome


class SuiteStatus(Model):
    """How the whole suite stood at one commit."""

    outcome: SuiteOutcome
    counts: Counts
    failed: tuple[str, ...] = Field(default=(), description="Tests that failed or errored, at most 200.")
    duration_s: float
    sandbox: SandboxLevel


class Comparison(Model):
    """The suite after a change against the suite before it."""

    verdict: Literal["better", "still_failing", "regressed", "unclear"]
    reason: str = Field(description="The verdict in words.")
    turned_green: tuple[str, ...] = ()
    still_failing: tuple[str, ...] = Field(default=(), description="Of the tests the run is about.")
    regressed: tuple[str, ...] = Field(default=(), description="Passed before, fail now.")
    vanished: tuple[str, ...] = Field(default=(), description="Ran before, did not run now.")


class CriterionStatus(Model):
    """An acceptance criterion and what answers it."""

    criterion: Criterion
    met_by: tuple[str, ...] = Field(
        default=(), description="Tests that answer it, as their writer or the criterion itself says, and pass."
    )
    status: Literal["met", "not verified"]


class Commit(Model):
    """One accepted step on the branch."""

    step: str
    agent: Name
    head: str
    subject: str


class Bundle(Model):
    """A run's result. Plausible by its evidence; right is for the person who merges it to say."""

    kind: Literal["handoff"] = "handoff"
    run: RunId
    workflow: Name
    request: str
    repo: str
    base: str = Field(description="Commit the branch starts from.")
    branch: str
    head: str
    branch_sha256: Sha256 = Field(description="Of `branch.bundle`, the branch as a git bundle.")
    commits: tuple[Commit, ...]
    patch: Patch = Field(description="The branch against its base.")
    added_lines: int
    removed_lines: int
    failing: tuple[str, ...] = Field(description="Tests the run is about.")
    before: SuiteStatus
    after: SuiteStatus
    comparison: Comparison
    findings_new: tuple[Finding, ...] = ()
    findings_gone: tuple[Finding, ...] = ()
    proposal: Proposal | None = Field(default=None, description="What was proposed; None if a person wrote the diff.")
    rivals: tuple[Proposal, ...] = Field(default=(), description="Plausible too, and not chosen.")
    tried: Tried | None = None
    criteria: tuple[CriterionStatus, ...] = ()
    links: tuple[str, ...] = ()
    sandbox: SandboxLevel = Field(description="The lowest level any of the run's code ran at.")
    summary: str
    risks: tuple[str, ...] = ()
    metrics: Metrics = Field(description="Up to the moment the bundle was made.")


class BundleFiles(Model):
    """Where a bundle was written, and what is in the folder."""

    directory: str
    files: tuple[RelPath, ...]
    bundle_sha256: Sha256 = Field(description="Of the `Bundle`.")
