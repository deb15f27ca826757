"""test_writer: new or extended tests, from behaviour and code; checked by running them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, RelPath, RunId
from contracts.patch import Patch
from contracts.sandbox import SandboxReport
from contracts.spending import Paid
from contracts.task import Criterion
from contracts.test_runner import TestOutcome

Purpose = Literal["bug", "feature", "existing"]
"""bug: shows what is wrong, so it fails now. feature: says what is wanted, so it fails now.
existing: pins down what the code does, so it passes now."""


class WriteTestsParams(Model):
    """Ask for tests in one file, new or extended."""

    __test__ = False

    run: RunId
    purpose: Purpose
    request: str = Field(description="The ticket, in a person's words.")
    path: RelPath = Field(description="The test file; it is created where there is none.")
    instruction: str = Field(description="What to test.")
    reads: tuple[RelPath, ...] = Field(default=(), max_length=12, description="Files to show along.")
    criteria: tuple[Criterion, ...] = Field(default=(), description="Acceptance criteria the tests can answer.")
    feedback: tuple[str, ...] = Field(default=(), description="Why earlier tests were not taken.")


class NewTest(Model):
    """A test that was written, as the project's runner names it."""

    id: str
    outcome: TestOutcome = Field(description="On the tree as it is now.")
    criteria: tuple[str, ...] = Field(default=(), description="Ids of the criteria it answers, as its writer says.")


class WriteTestsResult(Paid):
    """Tests that were run; `patch` is None when none that hold were written, and `note` says why."""

    __test__ = False

    patch: Patch | None
    summary: str = ""
    tests: tuple[NewTest, ...] = ()
    note: str = ""
    sandbox: SandboxReport | None = None
