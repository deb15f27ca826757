"""Our client transport and our bridge, in the suite's client scenarios: its server is called over the bus."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.conformance.client import SCENARIOS
from tests.conformance.results import PASSED, TOLD, Check
from tests.conformance.suite import REVISIONS, client_scenarios, run_client

PAGE = Path(__file__).resolve().parents[2] / "docs/conformance.md"
COMMAND = (sys.executable, "-m", "tests.conformance.client")
ROW = re.compile(
    r"^\| `(?P<scenario>[\w-]+)` \| (?P<revision>[\d-]+) \| (?P<passed>\d+) of (?P<of>\d+) \|", re.MULTILINE
)
FIGURES = {
    (row["scenario"], row["revision"]): (int(row["passed"]), int(row["of"]))
    for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))
}


def of_a_handshake(check: Check) -> bool:
    """What asks for headers of requests that there are none of at 2026-07-28."""
    return check.name in ("ClientMcpMethodHeader_initialize", "ClientMcpMethodHeader_notifications_initialized")


@pytest.mark.parametrize(("scenario", "revision"), FIGURES)
def test_every_check_passes_and_the_page_says_how_many(scenario: str, revision: str) -> None:
    """No failure, no warning; the client gets everything it waits for."""
    results = run_client(COMMAND, scenario, revision)
    others = [check for check in results.checks if check.status not in (PASSED, TOLD)]
    assert [str(check) for check in others if not of_a_handshake(check)] == []
    assert FIGURES[scenario, revision] == (results.passed, results.passed)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_scenario_that_needs_no_login_is_run(revision: str) -> None:
    """At each revision at which the suite has it; the page has a row for it."""
    there = {scenario for scenario in client_scenarios(revision) if not scenario.startswith("auth/")}
    assert {scenario for scenario, at in FIGURES if at == revision} == there
    assert there <= SCENARIOS.keys()
