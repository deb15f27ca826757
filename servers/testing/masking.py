"""Takes secrets out of what tests print, before it is stored: what is on the ledger stays there.

A digest stands in the place of each, so that whoever has the secret can tell which it was. Names of tests stay as they
are, as others call tests by them, and so do lines of the tree's files: whoever edits one has to know it.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.secret_kinds import masked
from contracts.test_runner import CoverageResult, RunResult, TestCase


def run_masked(result: RunResult) -> RunResult:
    """What a run of tests says, without secrets."""
    said = {"reason": masked(result.reason), "output_tail": masked(result.output_tail)}
    return result.model_copy(update={**said, "cases": _masked(result.cases)})


def coverage_masked(result: CoverageResult) -> CoverageResult:
    """What traced tests say, without secrets."""
    return result.model_copy(update={"tests": _masked(result.tests), "failures": _masked(result.failures)})


def _masked(cases: Iterable[TestCase]) -> tuple[TestCase, ...]:
    return tuple(
        case.model_copy(update={"message": masked(case.message), "detail": masked(case.detail)})
        if case.message or case.detail
        else case
        for case in cases
    )
