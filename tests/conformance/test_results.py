"""The suite's findings become values, and two of them can be compared."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.results import Check, Results, differences, read_results

STAMP = "2026-01-02T03-04-05-678Z"


def check(id: str, status: str, message: str = "") -> Check:
    return Check("tools-list", id, id.title(), status, message)


def results(*checks: Check) -> Results:
    return Results("2026-07-28", checks)


def test_checks_are_read_with_their_scenario(tmp_path: Path) -> None:
    """Folders are named after scenarios; only what counts as passed or failed is counted."""
    scenario = tmp_path / f"server-server-sse-polling-{STAMP}"
    scenario.mkdir()
    rows = [
        {"id": "priming", "name": "Priming", "status": "SUCCESS", "timestamp": "…"},
        {"id": "retry", "name": "Retry", "status": "FAILURE", "errorMessage": "no retry field"},
        {"id": "incoming", "name": "Incoming", "status": "INFO"},
    ]
    (scenario / "checks.json").write_text(json.dumps(rows))
    read = read_results("2025-11-25", tmp_path)
    assert (read.passed, read.failed) == (1, 1)
    assert str(read.having("FAILURE")[0]) == "server-sse-polling: retry (Retry) FAILURE: no retry field"
    assert read.by_scenario() == {"server-sse-polling": {"SUCCESS": 1, "FAILURE": 1, "INFO": 1}}


def test_a_scenario_that_left_nothing_has_failed(tmp_path: Path) -> None:
    """The suite makes a scenario's folder before it runs it."""
    (tmp_path / f"server-caching-{STAMP}").mkdir()
    read = read_results("2026-07-28", tmp_path)
    assert (read.passed, read.failed) == (0, 1)
    assert read.checks[0].scenario == "caching"


def test_equal_findings_do_not_differ() -> None:
    """Neither order nor what was only written down counts."""
    one = results(check("a", "SUCCESS"), check("b", "SUCCESS"), check("log", "INFO"))
    other = results(check("b", "SUCCESS"), check("a", "SUCCESS"))
    assert differences(one, other) == []


def test_a_difference_names_the_check_both_outcomes_and_the_reason() -> None:
    """Worse, absent, or one of several of the same id: each is a line."""
    one = results(check("a", "SUCCESS"), check("b", "SUCCESS"), check("c", "SUCCESS"), check("c", "SUCCESS"))
    other = results(check("a", "FAILURE", "not found"), check("c", "SUCCESS"), check("c", "WARNING", "late"))
    assert differences(one, other) == [
        "tools-list: a (A) is FAILURE, was SUCCESS: not found",
        "tools-list: b (B) is absent, was SUCCESS",
        "tools-list: c (C) is SUCCESS, WARNING, was SUCCESS, SUCCESS: late",
    ]
