"""A crew whose model, repository and test runner answer from a script. Nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypedDict, TypeVar, cast

import anyio

from contracts import diff
from contracts.base import Model
from contracts.failure import Failure
from contracts.model import CompleteParams, CompleteResult, DescribeParams, DescribeResult, Form
from contracts.repository import ReadParams, ReadResult, SimilarCode, SimilarParams, SimilarResult
from contracts.spending import Spending, Usage
from contracts.test_runner import (
    CandidateOutcome,
    CandidateResult,
    Counts,
    CoverageParams,
    CoverageResult,
    RunParams,
    RunResult,
    SuiteOutcome,
    TestCase,
    TestOutcome,
    TryPatchesParams,
    TryPatchesResult,
)
from servers.sandbox.job import Finished, Job, OnLine
from servers.specialist import Call, Room, ToolError
from tests.search.scripted import QUIET, REPORT

R = TypeVar("R", bound=Model)
RUN = "r-abcd"
ONE = Spending(requests=1, usage=Usage(input_tokens=100, output_tokens=10), cost_usd=Decimal("0.01"))

Answer = Mapping[str, object] | CompleteResult | ToolError
"""What the model says: a reply, or something worse."""


def result(reply: Mapping[str, object] | None = None, **more: object) -> CompleteResult:
    """A stored answer of the model server that cost `ONE`."""
    said: dict[str, object] = {
        "run": RUN,
        "outcome": "ok" if reply is not None else "invalid",
        "reply": reply,
        "endpoint": "scripted",
        "model": "scripted-1",
        "way": "tool",
        "duration_s": 1.0,
        "spent": ONE,
        **more,
    }
    return CompleteResult.model_validate(said)


def failed(outcome: str, failure: Failure) -> CompleteResult:
    """An answer without a reply."""
    return result(outcome=outcome, failure=failure)


def ran(
    cases: Mapping[str, TestOutcome | TestCase], outcome: SuiteOutcome | None = None, reason: str = ""
) -> RunResult:
    """What a run of these tests says."""
    made = tuple(
        each if isinstance(each, TestCase) else TestCase(id=name, outcome=each) for name, each in cases.items()
    )
    bad = any(each.outcome in ("failed", "error") for each in made)
    counts: dict[str, int] = {}
    for each in made:
        counts[each.outcome] = counts.get(each.outcome, 0) + 1
    return RunResult(
        outcome=outcome or ("failed" if bad else "passed"),
        counts=Counts.model_validate(counts),
        cases=made,
        reason=reason,
        duration_s=0.1,
        sandbox=REPORT,
    )


@dataclass
class Crew:
    """Answers by what it was given, and remembers what it was asked."""

    files: dict[str, str]
    answers: list[Answer] = field(default_factory=list[Answer])
    form: Form = "blocks"
    ready: bool = True
    coverage: CoverageResult | None = None
    verdict: Callable[[str], CandidateOutcome] = lambda _: "failing"
    runs: Callable[[str, RunParams], RunResult] = lambda _, params: ran(dict.fromkeys(params.tests, "failed"))
    similar: tuple[SimilarCode, ...] = ()
    broken: dict[str, ToolError] = field(default_factory=dict[str, ToolError])
    calls: list[str] = field(default_factory=list[str])
    asked: list[CompleteParams] = field(default_factory=list[CompleteParams])
    tried: list[TryPatchesParams] = field(default_factory=list[TryPatchesParams])

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        self.calls.append(tool)
        if tool in self.broken:
            raise self.broken[tool]
        await anyio.lowlevel.checkpoint()
        match params:
            case CompleteParams():
                answer: Model = self._complete(params)
            case DescribeParams():
                answer = DescribeResult(
                    endpoint="scripted",
                    model="scripted-1",
                    ready=self.ready,
                    why_not="" if self.ready else "no key",
                    way_out="" if self.ready else "Set ANTHROPIC_API_KEY.",
                    form=self.form,
                )
            case ReadParams():
                if params.path not in self.files:
                    raise ToolError("not_found", f"no file {params.path}")
                answer = ReadResult(text=self.files[params.path], first_line=1, total_lines=1)
            case SimilarParams():
                answer = SimilarResult(found=self.similar)
            case CoverageParams():
                assert self.coverage is not None
                answer = self.coverage
            case TryPatchesParams():
                answer = self._try(params)
            case RunParams():
                answer = self.runs(self.after(params.diff), params)
            case _:
                raise AssertionError(tool)
        return cast(R, answer)

    def _complete(self, params: CompleteParams) -> CompleteResult:
        self.asked.append(params)
        assert params.turns[0].role == params.turns[-1].role == "user"
        assert self.answers, "the model was asked once more than the script has answers"
        answer = self.answers.pop(0)
        if isinstance(answer, ToolError):
            raise answer
        return answer if isinstance(answer, CompleteResult) else result(answer)

    def after(self, patch: str) -> str:
        """The changed file's text with a diff, empty without one."""
        if not patch:
            return ""
        (change,) = diff.parse(patch)
        return diff.apply(change, self.files.get(change.path, ""))

    def _try(self, params: TryPatchesParams) -> TryPatchesResult:
        self.tried.append(params)
        results: list[CandidateResult] = []
        for candidate in params.candidates:
            outcome = self.verdict(self.after(candidate.diff))
            results.append(
                CandidateResult(id=candidate.id, outcome=outcome, evidence=QUIET if outcome == "plausible" else None)
            )
        return TryPatchesResult(
            results=tuple(results), baseline_failed=params.failing, per_s=10, duration_s=1, sandbox=REPORT
        )


class Script(TypedDict, total=False):
    """What a test may say of a crew."""

    form: Form
    ready: bool
    verdict: Callable[[str], CandidateOutcome]
    runs: Callable[[str, RunParams], RunResult]
    broken: dict[str, ToolError]


class NoSandbox:
    """Nothing is run here."""

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        raise AssertionError("a writer runs nothing")


def room(crew: Crew) -> Room:
    """The room of a specialist that holds no files."""
    return Room(Path("/nowhere"), Path("/nowhere"), crew, NoSandbox())


def blocks(search: str, replace: str, **more: object) -> dict[str, object]:
    """A reply with one block."""
    return {"blocks": [{"search": search, "replace": replace}], "summary": "It is changed", **more}
