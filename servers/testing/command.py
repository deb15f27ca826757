"""Runs a project's own test command and reads the JUnit XML it leaves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import anyio

from contracts.sandbox import Limits
from contracts.test_runner import Counts, RunResult, SuiteOutcome, TestCase
from servers.sandbox.job import Finished
from servers.testing.confined import Confined
from servers.testing.junit import NoReport, read_report
from servers.testing.scratch import TREE
from servers.testing.suite import ENDED, output_tail


async def run_command(confined: Confined, home: Path, limits: Limits, tests: tuple[str, ...]) -> RunResult:
    """Run the command, which always runs all its tests; `tests` picks from its report."""
    started = anyio.current_time()
    report = home / TREE / confined.program.junit
    # One that git tracks would be taken for the result of a command that wrote none.
    report.unlink(missing_ok=True)
    finished = await confined.command(home, limits)
    cases: tuple[TestCase, ...] = ()
    try:
        cases = await anyio.to_thread.run_sync(read_report, home / TREE, confined.program.junit)
        outcome, reason = _outcome(finished, cases, limits)
    except NoReport as missing:
        outcome, reason = _stopped(finished, limits) or ("broken", f"{missing} (exit status {finished.returncode})")
    if tests and outcome in ("passed", "failed"):
        cases, outcome, reason = _picked(cases, tests)
    return RunResult(
        outcome=outcome,
        counts=Counts.model_validate(dict(Counter[str](case.outcome for case in cases))),
        cases=cases,
        reason=reason,
        output_tail=output_tail(finished),
        duration_s=anyio.current_time() - started,
        sandbox=finished.report,
    )


def _stopped(finished: Finished, limits: Limits) -> tuple[SuiteOutcome, str] | None:
    ended = finished.report.ended
    return (
        ("stopped", f"{ENDED[ended].format(wall=limits.wall_s, cpu=limits.cpu_s)} was reached")
        if ended in ENDED
        else None
    )


def _outcome(finished: Finished, cases: tuple[TestCase, ...], limits: Limits) -> tuple[SuiteOutcome, str]:
    stopped = _stopped(finished, limits)
    if stopped:
        return stopped
    bad = sum(case.outcome in ("failed", "error") for case in cases)
    if bool(bad) != (finished.returncode != 0):
        return "broken", f"the command ended with status {finished.returncode}, its report says {bad} tests failed"
    if not cases:
        return "no_tests", "the command's report names no tests"
    return ("failed", "") if bad else ("passed", "")


def _picked(cases: tuple[TestCase, ...], tests: tuple[str, ...]) -> tuple[tuple[TestCase, ...], SuiteOutcome, str]:
    picked = tuple(case for case in cases if case.id in tests)
    missing = [name for name in tests if not any(case.id == name for case in picked)]
    if missing:
        return picked, "no_tests", f"the command's report names no test {', '.join(missing)}"
    bad = any(case.outcome in ("failed", "error") for case in picked)
    return picked, "failed" if bad else "passed", ""
