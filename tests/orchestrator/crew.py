"""A crew that follows a script: the engine's `Calls`, with every effect counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, cast

import anyio.lowlevel

from bus.caller import OnProgress
from bus.errors import CallFailed
from contracts import diff
from contracts.base import Model, sha256
from contracts.code_writer import Proposal, ProposeParams, ProposeResult, Suspect, Tried
from contracts.failure import Failure
from contracts.patch import Patch
from contracts.run import Event
from contracts.sandbox import SandboxReport
from contracts.static_analyzer import CheckParams, CheckResult, Finding
from contracts.task import Task
from contracts.test_runner import Counts, Evidence, RunParams, RunResult, TestCase, TestOutcome
from contracts.workspace import (
    ApplyParams,
    ApplyResult,
    CloseResult,
    CommitParams,
    CommitResult,
    DiffResult,
    ExportResult,
    OpenResult,
    RevertParams,
    RevertResult,
)
from orchestrator.ports import Delivered, TakenIn

R = TypeVar("R", bound=Model)

RUN = "r-test1"
BASE = "b" * 40
TEST = "tests/test_x.py::test_y"
OTHER = "tests/test_x.py::test_z"
SANDBOX = SandboxReport(level="full", backend="bubblewrap")
BRANCH = b"a git bundle, as far as the orchestrator can tell"

GOOD = diff.make("x.py", "a - b\n", "a + b\n")
BAD = diff.make("x.py", "a - b\n", "a * b\n")


def suite(outcomes: Mapping[str, TestOutcome], **more: object) -> RunResult:
    """A test run with these outcomes."""
    red = any(outcome in ("failed", "error") for outcome in outcomes.values())
    counted = {name: sum(outcome == name for outcome in outcomes.values()) for name in Counts.model_fields}
    result = RunResult(
        outcome="failed" if red else "passed",
        counts=Counts(**counted),
        cases=tuple(TestCase(id=test, outcome=outcome) for test, outcome in outcomes.items()),
        duration_s=0.5,
        sandbox=SANDBOX,
    )
    return result.model_copy(update=more)


def proposal(text: str, summary: str = "Change an operator in x.py") -> Proposal:
    """A plausible patch."""
    evidence = Evidence(suite_passed=2, suite_failed=0, tests_through=4, calls_observed=9, calls_changed=0)
    return Proposal(patch=Patch.of(text, diff.files(text)), summary=summary, evidence=evidence)


def tried(candidates: int = 10) -> Tried:
    return Tried(
        candidates=candidates,
        plausible=2,
        failing=candidates - 2,
        regressed=0,
        hung=0,
        crashed=0,
        invalid=0,
        degenerate=0,
        elapsed_s=1.0,
        per_s=candidates,
        ended="exhausted",
    )


@dataclass
class ScriptedCrew:
    """Answers as a crew would on a project with one wrong operator; idempotent by call id, as the bus is.

    `applied` is what stands in the worktree; `effects` are the calls that really ran, as `server.tool`.
    """

    work: Path
    proposals: tuple[Proposal, ...] = (proposal(GOOD),)
    failures: dict[str, Failure] = field(default_factory=dict[str, Failure])
    findings: tuple[Finding, ...] = ()
    before: RunResult = field(default_factory=lambda: suite({TEST: "failed", OTHER: "passed"}))
    alone: RunResult = field(default_factory=lambda: suite({TEST: "failed"}))
    after: dict[str, RunResult] = field(default_factory=dict[str, RunResult])
    effects: list[str] = field(default_factory=list[str])
    answers: dict[str, Model | Failure] = field(default_factory=dict[str, "Model | Failure"])
    asked: list[Model] = field(default_factory=list[Model])
    applied: str = ""
    commits: int = 0
    engine: Literal["search", "model"] = "search"
    stubborn: bool = False
    """Propose again what was turned down."""

    async def call(
        self,
        server: str,
        tool: str,
        params: Model,
        result: type[R],
        *,
        call_id: str,
        run: str,
        step: str,
        on_progress: OnProgress | None = None,
    ) -> R:
        """See `Calls.call`."""
        await anyio.lowlevel.checkpoint()
        name = f"{server}.{tool}"
        if call_id not in self.answers:
            self.effects.append(name)
            self.asked.append(params)
            self.answers[call_id] = self.failures.get(name) or self._answer(name, params)
            if on_progress:
                await on_progress(1, 2, "half way")
        answer = self.answers[call_id]
        if isinstance(answer, Failure):
            raise CallFailed(server, tool, answer)
        return result.model_validate_json(answer.model_dump_json())

    def _answer(self, name: str, params: Model) -> Model:
        answer = cast(Callable[[Model], Model], getattr(self, name.replace(".", "_")))
        return answer(params)

    @property
    def head(self) -> str:
        return BASE if not self.commits else f"{self.commits:040x}"

    def workspace_open(self, params: Model) -> Model:
        return OpenResult(branch=f"podium/{RUN}", head=BASE, files=3)

    def test_runner_run(self, params: RunParams) -> Model:
        if not self.applied:
            return self.alone if params.tests else self.before
        green = suite({TEST: "passed", OTHER: "passed"})
        worse = suite({TEST: "passed", OTHER: "failed"})
        return self.after.get(self.applied, worse if self.applied == BAD else green)

    def code_writer_propose(self, params: ProposeParams) -> Model:
        avoid = set[str | None]() if self.stubborn else {each.patch_sha256 for each in params.feedback}
        left = tuple(each for each in self.proposals if each.patch.sha256 not in avoid)
        suspect = Suspect(path="x.py", line=1, score=1.0)
        return ProposeResult(proposals=left, suspects=(suspect,), tried=tried(), engine=self.engine, sandbox=SANDBOX)

    def workspace_apply(self, params: ApplyParams) -> Model:
        assert (params.expected_head, self.applied) == (self.head, "")
        self.applied = params.diff
        added, removed = diff.stat(params.diff)
        return ApplyResult(files=diff.files(params.diff), added_lines=added, removed_lines=removed)

    def workspace_commit(self, params: CommitParams) -> Model:
        self.commits += 1
        return CommitResult(head=self.head)

    def workspace_revert(self, params: RevertParams) -> Model:
        self.applied, self.commits = "", 0
        return RevertResult(head=params.commit)

    def static_analyzer_check(self, params: CheckParams) -> Model:
        found = self.findings if self.applied else ()
        return CheckResult(tool="ruff", findings=found, total=len(found), sandbox=SANDBOX)

    def workspace_diff(self, params: Model) -> Model:
        text = self.applied
        return DiffResult(diff=text, sha256=sha256(text.encode()), files=diff.files(text))

    def workspace_export(self, params: Model) -> Model:
        (self.work / RUN).mkdir(parents=True, exist_ok=True)
        (self.work / RUN / "branch.bundle").write_bytes(BRANCH)
        return ExportResult(file="branch.bundle", sha256=sha256(BRANCH), head=self.head, commits=self.commits)

    def workspace_close(self, params: Model) -> Model:
        (self.work / RUN / "branch.bundle").unlink(missing_ok=True)
        return CloseResult(removed=True)


@dataclass
class ScriptedCheckout:
    """A repository that is only counted."""

    taken: int = 0
    delivered: list[str] = field(default_factory=list[str])

    async def take_in(self, task: Task) -> TakenIn:
        """See `Checkout.take_in`."""
        self.taken += 1
        return TakenIn(base=BASE, notes=())

    async def deliver(self, task: Task, bundle_file: Path, base: str, head: str) -> Delivered:
        """See `Checkout.deliver`."""
        assert bundle_file.read_bytes() == BRANCH
        self.delivered.append(head)
        return Delivered(branch=f"podium/{task.run}", head=head)

    async def withdraw(self, task: Task, head: str) -> str:
        """See `Checkout.withdraw`."""
        self.delivered = [other for other in self.delivered if other != head]
        return ""


@dataclass
class Watcher:
    """An observer that remembers."""

    events: list[Event] = field(default_factory=list[Event])
    progress: list[str] = field(default_factory=list[str])

    async def on_event(self, event: Event) -> None:
        """See `Observer.on_event`."""
        self.events.append(event)

    async def on_progress(self, step: str, done: float, total: float | None, message: str) -> None:
        """See `Observer.on_progress`."""
        self.progress.append(step)
