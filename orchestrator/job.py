"""What the loop's steps hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.bundle import Commit, Comparison
from contracts.code_writer import Proposal
from contracts.gate import PatchSet
from contracts.static_analyzer import CheckResult
from contracts.task import Task
from contracts.test_runner import RunResult
from contracts.test_writer import NewTest
from contracts.workflow import Workflow
from orchestrator.ports import Checkout, Paths


@dataclass(frozen=True)
class Job:
    """What a workflow works on and with."""

    task: Task
    workflow: Workflow
    offered: frozenset[str]
    """`server.tool` names the crew offers."""
    checkout: Checkout
    paths: Paths


@dataclass(frozen=True)
class Opened:
    """The repository as it was taken in."""

    base: str
    branch: str
    head: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """How the tests stood before anything was changed."""

    failing: tuple[str, ...]
    suite: RunResult


@dataclass(frozen=True)
class Accepted:
    """A change that holds, with all that is known about it."""

    commits: tuple[Commit, ...]
    proposal: Proposal | None
    patches: PatchSet
    suite: RunResult
    comparison: Comparison
    linted_before: CheckResult | None
    linted_after: CheckResult | None
    tests: tuple[NewTest, ...] = ()
    """Those the run wrote."""
