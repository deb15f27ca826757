"""Before against after: test suites and findings. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from contracts.bundle import Comparison, SuiteStatus
from contracts.sandbox import SandboxLevel, SandboxReport
from contracts.static_analyzer import Finding
from contracts.test_runner import RunResult, TestOutcome

MAX_NAMED = 200
"""How many tests a status or comparison names."""

RED: tuple[TestOutcome, ...] = ("failed", "error")
_RAN: tuple[TestOutcome, ...] = ("passed", "xfailed", "xpassed", *RED)
_WORST_FIRST: tuple[TestOutcome, ...] = ("error", "failed", "xpassed", "passed", "xfailed", "skipped")
_WEAKEST_FIRST: tuple[SandboxLevel, ...] = ("none", "weak", "reduced", "full")


def outcomes(result: RunResult) -> dict[str, TestOutcome]:
    """Each test's outcome; the worst one, where a report names a test twice."""
    found: dict[str, TestOutcome] = {}
    for case in result.cases:
        named: tuple[TestOutcome, TestOutcome] = (case.outcome, found.get(case.id, case.outcome))
        found[case.id] = next(outcome for outcome in _WORST_FIRST if outcome in named)
    return found


def red(result: RunResult) -> tuple[str, ...]:
    """Tests that failed or errored, in the order they ran."""
    return tuple(test for test, outcome in outcomes(result).items() if outcome in RED)


def status(result: RunResult) -> SuiteStatus:
    """The run in short."""
    return SuiteStatus(
        outcome=result.outcome,
        counts=result.counts,
        failed=red(result)[:MAX_NAMED],
        duration_s=result.duration_s,
        sandbox=result.sandbox.level,
    )


def compare(before: RunResult, after: RunResult, failing: Sequence[str]) -> Comparison:
    """Judge `after` by `before`, where `failing` are the tests that were to turn green.

    `unclear` is anything a rule should not decide: a suite that was stopped or broke, or tests that ran
    before and did not now.
    """
    if after.outcome == "collection_error":
        return Comparison(verdict="regressed", reason=f"The suite no longer collects: {after.reason}")
    if after.outcome not in ("passed", "failed"):
        return Comparison(verdict="unclear", reason=f"The suite did not finish ({after.outcome}): {after.reason}")
    old, new = outcomes(before), outcomes(after)
    now_red = {test for test, outcome in new.items() if outcome in RED}
    was_red = {test for test, outcome in old.items() if outcome in RED}
    still = tuple(test for test in failing if test in now_red or new.get(test) not in _RAN)
    worse = tuple(sorted(now_red - was_red - set(failing)))
    gone = tuple(sorted(test for test, was in old.items() if was in _RAN and new.get(test) not in _RAN))
    green = tuple(
        sorted(test for test in was_red | set(failing) if test in new and test not in now_red and new[test] in _RAN)
    )
    if worse:
        verdict, reason = "regressed", f"{_tests(worse)} passed before and broke: {_some(worse)}"
    elif still:
        verdict, reason = "still_failing", f"still not passing, {_tests(still)}: {_some(still)}"
    elif gone:
        verdict, reason = "unclear", f"{_tests(gone)} ran before and did not now: {_some(gone)}"
    else:
        turned = f"{_tests(failing)} {_pass(failing, old)}, and no other got worse"
        verdict, reason = "better", turned if failing else "no test got worse"
    return Comparison(
        verdict=verdict,
        reason=reason,
        turned_green=green[:MAX_NAMED],
        still_failing=still[:MAX_NAMED],
        regressed=worse[:MAX_NAMED],
        vanished=gone[:MAX_NAMED],
    )


def new_findings(before: Iterable[Finding], after: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of `after` that `before` has no counterpart for; a finding that only moved has one."""
    known = Counter(_identity(finding) for finding in before)
    found: list[Finding] = []
    for finding in after:
        if known[_identity(finding)]:
            known[_identity(finding)] -= 1
        else:
            found.append(finding)
    return tuple(found)


def lowest(reports: Iterable[SandboxReport]) -> SandboxLevel:
    """The weakest confinement among `reports`; "none" if there are none."""
    reached = {report.level for report in reports}
    for level in _WEAKEST_FIRST:
        if level in reached:
            return level
    return "none"


def _identity(finding: Finding) -> tuple[str, str, str]:
    return finding.path, finding.rule, finding.message


def _tests(tests: Sequence[str]) -> str:
    return f"{len(tests)} test" if len(tests) == 1 else f"{len(tests)} tests"


def _pass(tests: Sequence[str], before: Mapping[str, TestOutcome]) -> str:
    new = not any(test in before for test in tests)
    return ("passes" if len(tests) == 1 else "pass") if new else "turned green"


def _some(tests: Sequence[str]) -> str:
    return ", ".join(tests[:5]) + (f" and {len(tests) - 5} more" if len(tests) > 5 else "")
