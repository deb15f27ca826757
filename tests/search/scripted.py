"""A crew whose answers are scripted: files from a dict, a spectrum and verdicts given by the test. Nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from bus.lives import FIRST, Life
from contracts import diff
from contracts.base import Model
from contracts.repository import ReadParams, ReadResult
from contracts.sandbox import SandboxReport
from contracts.test_runner import (
    CandidateOutcome,
    CandidateResult,
    CoverageResult,
    Evidence,
    Frame,
    LineCoverage,
    TestCase,
    TryPatchesParams,
    TryPatchesResult,
)
from servers.search.candidates import Edit, candidates
from servers.search.clues import Clues
from servers.search.localise import Place
from servers.search.source import Source
from servers.search.templates import ALL
from servers.specialist import Call, ToolError

R = TypeVar("R", bound=Model)
REPORT = SandboxReport(level="full", backend="bubblewrap")
QUIET = Evidence(suite_passed=3, suite_failed=0, tests_through=2, calls_observed=10, calls_changed=0)
TEST = "tests/test_it.py::test_it"

Verdict = Callable[[str], CandidateOutcome]
"""From the text of a file with the candidate to how it does."""


def spectrum(
    lines: Mapping[tuple[str, int], str],
    message: str = "AssertionError: assert 1 == 2",
    frames: Iterable[tuple[str, int]] = (),
    detail: str = "",
) -> CoverageResult:
    """A spectrum of one failing (`f`) and up to three passing tests (`1`, `2`, `3`): per line, who ran it."""
    failing = TestCase(
        id=TEST,
        outcome="failed",
        message=message,
        detail=detail,
        frames=tuple(Frame(path=path, line=line, function="f") for path, line in frames),
    )
    passing = [TestCase(id=f"tests/test_it.py::test_{n}", outcome="passed") for n in (1, 2, 3)]
    return CoverageResult(
        tests=(failing, *passing),
        lines=tuple(
            LineCoverage(path=path, line=line, tests=tuple("f123".index(who) for who in ran))
            for (path, line), ran in lines.items()
        ),
        failures=(failing,),
        complete=True,
        sandbox=REPORT,
    )


@dataclass
class ScriptedCall:
    """A call that remembers the progress it was told."""

    id: str = "0" * 32
    caller: str = "orchestrator"
    life: Life = FIRST
    told: list[str] = field(default_factory=list[str])

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.told.append(message)


@dataclass
class ScriptedCrew:
    """Answers read, coverage and try_patches from what it was given."""

    files: Mapping[str, str]
    coverage: CoverageResult
    verdict: Verdict
    evidence: Callable[[str], Evidence] = lambda _: QUIET
    tried: list[str] = field(default_factory=list[str])
    calls: list[str] = field(default_factory=list[str])

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        self.calls.append(tool)
        if isinstance(params, ReadParams):
            return cast(R, self._read(params))
        if isinstance(params, TryPatchesParams):
            return cast(R, self._try(params))
        return cast(R, self.coverage)

    def _read(self, params: ReadParams) -> ReadResult:
        if params.path not in self.files:
            raise ToolError("not_found", f"no file {params.path}")
        text = self.files[params.path]
        return ReadResult(text=text if params.first_line == 1 else "", first_line=params.first_line, total_lines=1)

    def _try(self, params: TryPatchesParams) -> TryPatchesResult:
        results: list[CandidateResult] = []
        for candidate in params.candidates:
            (change,) = diff.parse(candidate.diff)
            text = diff.apply(change, self.files[change.path])
            self.tried.append(text)
            outcome = self.verdict(text)
            evidence = self.evidence(text) if outcome == "plausible" else None
            results.append(CandidateResult(id=candidate.id, outcome=outcome, evidence=evidence))
        return TryPatchesResult(
            results=tuple(results), baseline_failed=(TEST,), per_s=100, duration_s=1, sandbox=REPORT
        )


def all_edits(text: str, clues: Clues | None = None, path: str = "it.py") -> tuple[Edit, ...]:
    """Every candidate for a file all of whose statements are equally suspicious."""
    source = Source.of(path, text)
    return candidates([Place(source, node, 1.0) for node in source.statements], clues or Clues(), ALL)
