"""What a reviewer should be wary of. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from typing import Literal

from contracts import diff as diffs
from contracts.bundle import Comparison
from contracts.code_writer import Proposal
from contracts.sandbox import SandboxLevel
from contracts.static_analyzer import Finding
from contracts.test_names import is_test, may_decide_tests, stands_in

FEW_TESTS = 3
"""Fewer passing tests through the changed lines than this are few."""

_DEPENDENCIES = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "*.lock", "package.json"),
    *("package-lock.json", "go.mod", "go.sum", "Cargo.toml", "Gemfile"),
)
_AUTOMATION = (
    ".github/*",
    ".gitlab-ci.yml",
    ".circleci/*",
    "Jenkinsfile",
    "Makefile",
    "Dockerfile*",
    "*.sh",
    "tox.ini",
)
_INSIDE = re.compile(r"\b(_pytest|pluggy|pytest_plugins|PYTEST_\w+|def pytest_\w+)\b")
_PYTEST = re.compile(r"pytest|pluggy", re.IGNORECASE)


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
    if reaching := [each.path for each in diffs.parse(diff) if _reaches_inside(each)]:
        yield f"Speaks of the program that runs the tests, and may change what it says: {', '.join(reaching)}."
    if deciding := [each.path for each in diffs.parse(diff) if _decides_tests(each)]:
        yield f"Changes how tests run: {', '.join(deciding)}."
    for what, touches in (
        ("what the project depends on", partial(_like, _DEPENDENCIES)),
        ("automation that runs elsewhere", partial(_like, _AUTOMATION)),
        ("tests", is_test),
    ):
        if touched := [path for path in files if touches(path)]:
            yield f"Changes {what}: {', '.join(touched)}."
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


def _reaches_inside(change: diffs.FileDiff) -> bool:
    """Whether Python code gets a line about pytest's own parts, or, where it is no test, about pytest at all."""
    pattern = _INSIDE if is_test(change.path) else _PYTEST
    added = (line.text for hunk in change.hunks for line in hunk.lines if line.op == "+")
    return change.path.endswith(".py") and any(map(pattern.search, added))


def _decides_tests(change: diffs.FileDiff) -> bool:
    return may_decide_tests(change.path) or (change.created and bool(stands_in(change.path)))


def _like(patterns: Sequence[str], path: str) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


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
