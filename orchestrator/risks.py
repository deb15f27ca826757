"""What a reviewer should be wary of. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from contracts.bundle import Comparison
from contracts.code_writer import Proposal
from contracts.sandbox import SandboxLevel
from contracts.static_analyzer import Finding
from contracts.test_names import is_test
from orchestrator.grave import grave_risks

FEW_TESTS = 3
"""Fewer passing tests through the changed lines than this are few."""


def risks(
    *,
    files: Sequence[str],
    diff: str,
    proposal: Proposal | None,
    rivals: int,
    comparison: Comparison,
    sandbox: SandboxLevel,
    findings_new: Sequence[Finding],
    linted: bool,
    still_red: int,
    notes: Sequence[str],
    masked: Sequence[str],
    engine: Literal["search", "model", "agent"],
    tests_written: bool,
) -> Iterator[str]:
    """In plain words, the gravest first."""
    if comparison.verdict != "better":
        yield f"Accepted by a person although the suite was not clear: {comparison.reason}."
    if proposal is None:
        yield "The diff was written by a person at the gate; there is no evidence beyond the suite."
    else:
        if engine != "search":
            who = "A model wrote it" if engine == "model" else "An agent wrote it"
            alone = f"{who}: the tests are all that speaks for it."
            yield f"{who}, its tests included: read what they assert." if tests_written else alone
        yield from _evidence(proposal)
    if rivals:
        one = "1 other patch is" if rivals == 1 else f"{rivals} other patches are"
        yield f"{one} just as plausible by the tests: the tests do not pin down what is right."
    yield from (each.words for each in grave_risks(diff))
    if touched := [path for path in files if is_test(path)]:
        yield f"Changes tests: {', '.join(touched)}."
    if sandbox != "full":
        yield f"Some of the run's code ran in a sandbox of level {sandbox}, not full."
    if findings_new:
        yield f"The linter has {len(findings_new)} new findings."
    if not linted:
        yield "No linter looked at the change."
    if still_red:
        yield f"{still_red} other tests fail, as they did before."
    if masked:
        yield f"Secrets were found in what models were to be shown, and masked: {', '.join(masked)}."
    yield from notes


def _evidence(proposal: Proposal) -> Iterator[str]:
    evidence = proposal.evidence
    if not evidence.observed:
        return
    if evidence.tests_through < FEW_TESTS:
        through = evidence.tests_through or "no"
        one = "test runs" if evidence.tests_through == 1 else "tests run"
        yield f"Besides the failing ones, {through} {one} through the changed lines: they say little about it."
    if evidence.calls_changed:
        seen = f"{evidence.calls_changed} of {evidence.calls_observed}"
        yield f"It changes what other tests observe: {seen} calls of the changed code behave differently now."
