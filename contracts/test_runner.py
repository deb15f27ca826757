"""test_runner: run a project's tests, and try many candidate patches, in the sandbox."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, RelPath, RunId
from contracts.sandbox import SandboxReport

TestOutcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
SuiteOutcome = Literal["passed", "failed", "no_tests", "collection_error", "stopped", "broken"]
"""stopped: a limit ended it (see `sandbox.ended`); broken: the test program itself could not run."""


class Frame(Model):
    """One line of a traceback that lies inside the run's tree."""

    path: RelPath
    line: int = Field(ge=1)
    function: str
    text: str = Field(default="", description="The source line, stripped.")


class TestCase(Model):
    """One test's outcome. `id` is the runner's own name for it (a pytest node id)."""

    __test__ = False

    id: str
    outcome: TestOutcome
    duration_s: float = 0.0
    message: str = Field(default="", description="Last line of the failure: `ExceptionType: text`.")
    detail: str = Field(default="", description="The failure report, capped, terminal escapes neutralised.")
    frames: tuple[Frame, ...] = Field(default=(), description="Outermost first; inside the tree only.")


class Counts(Model):
    """How many tests ended how."""

    passed: int = 0
    failed: int = 0
    error: int = 0
    skipped: int = 0
    xfailed: int = 0
    xpassed: int = 0


class RunParams(Model):
    """Run tests on the run's tree as it stands, or with `diff` applied to the scratch copy first."""

    run: RunId
    tests: tuple[str, ...] = Field(default=(), description="Node ids; empty means the whole suite.")
    diff: str = Field(default="", description="Unified diff applied to the scratch copy only.")
    timeout_s: float = Field(default=600, gt=0, le=24 * 3600)


class RunResult(Model):
    """What the tests said. A failed suite is a result, not an error."""

    outcome: SuiteOutcome
    counts: Counts
    cases: tuple[TestCase, ...] = Field(description="In the order they ran.")
    reason: str = Field(default="", description="For anything but passed/failed: what happened, in words.")
    output_tail: str = Field(default="", description="End of stdout and stderr, escapes neutralised.")
    duration_s: float
    sandbox: SandboxReport


class CoverageParams(Model):
    """Trace which lines each test runs, limited to the functions that the failing tests reach."""

    run: RunId
    failing: tuple[str, ...] = Field(min_length=1, description="Node ids that fail now.")
    budget_s: float = Field(default=60, gt=0, description="Wall seconds; tests not traced by then are left out.")


class LineCoverage(Model):
    """Which tests ran one line; `tests` are indices into `CoverageResult.tests`."""

    path: RelPath
    line: int = Field(ge=1)
    tests: tuple[int, ...]


class CoverageResult(Model):
    """A spectrum: per test its outcome, per line the tests that ran it."""

    tests: tuple[TestCase, ...] = Field(description="Every test traced; failing ones first; details left out.")
    lines: tuple[LineCoverage, ...] = Field(description="Lines of functions some failing test reaches.")
    failures: tuple[TestCase, ...] = Field(description="The failing tests with message, detail and frames.")
    complete: bool = Field(description="False when the budget ended tracing early.")
    sandbox: SandboxReport


class Candidate(Model):
    """One edit to try."""

    id: str
    diff: str


class TryPatchesParams(Model):
    """Try each candidate on its own: `failing` first, then, for what passes, the whole suite."""

    run: RunId
    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=2000)
    failing: tuple[str, ...] = Field(min_length=1, description="Tests that must turn green.")
    budget_s: float = Field(default=60, gt=0, description="Wall seconds for this batch.")
    enough: int = Field(default=10, ge=1, description="Stop once so many candidates are plausible.")


CandidateOutcome = Literal["plausible", "failing", "regressed", "hung", "crashed", "invalid", "untried"]
"""plausible: failing tests pass and no other test got worse. failing: they still fail.
regressed: some test that passed no longer does. hung: stopped by its CPU or wall limit.
crashed: the process died. invalid: does not apply or does not compile. untried: budget ended."""


class Evidence(Model):
    """What is known about a plausible candidate beyond "the tests pass"."""

    suite_passed: int = Field(description="Tests that pass with it.")
    suite_failed: int = Field(description="Tests that fail with it, as they did before.")
    observed: bool = Field(default=True, description="False: only the suite was run; what follows says nothing.")
    tests_through: int = Field(description="Passing tests, other than the failing ones, that run the changed lines.")
    calls_observed: int = Field(description="Calls of the changed functions seen from those tests, before.")
    calls_changed: int = Field(description="Of those, calls whose result, exception or arguments' state differ now.")


class CandidateResult(Model):
    """How one candidate did."""

    id: str
    outcome: CandidateOutcome
    failed: tuple[str, ...] = Field(default=(), description="Tests that failed, at most 20.")
    evidence: Evidence | None = Field(default=None, description="For plausible ones.")
    cpu_s: float = 0.0


class TryPatchesResult(Model):
    """One result per candidate, in the order given."""

    results: tuple[CandidateResult, ...]
    baseline_failed: tuple[str, ...] = Field(description="Tests that fail without any candidate.")
    unconfirmed: tuple[str, ...] = Field(
        default=(),
        description="Untried in `results`: they passed the fast trial only; the budget ended.",
    )
    flaky: tuple[str, ...] = Field(
        default=(), description="Tests seen to end in two ways on the same code; none makes a candidate `regressed`."
    )
    per_s: float = Field(description="Candidates tried per wall second, set-up excluded.")
    duration_s: float
    sandbox: SandboxReport
