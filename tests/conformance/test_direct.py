"""The reference: our conformance server, reached over plain HTTP, does all that the official suite asks of a server."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conformance.__main__ import DIRECTLY
from tests.conformance.results import PASSED, TOLD
from tests.conformance.suite import REVISIONS, SuiteError, run_suite, serving

PAGE = Path(__file__).resolve().parents[2] / "docs/conformance.md"


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with serving(DIRECTLY) as url:
        yield url


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_check_passes_and_the_page_says_how_many(url: str, revision: str) -> None:
    """No failure, no warning, nothing skipped; docs/conformance.md has the figure."""
    results = run_suite(url, revision)
    assert [str(check) for check in results.checks if check.status not in (PASSED, TOLD)] == []
    written = re.search(rf"^\| {revision} \| (\d+) of (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert written is not None, f"{PAGE.name} has no figure for {revision}"
    assert written.groups() == (str(results.passed), str(results.passed))


def test_a_server_that_is_not_there_fails() -> None:
    """What nobody answers is a failure of its scenario, not a scenario less."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    results = run_suite(f"http://127.0.0.1:{port}/mcp", "2026-07-28")
    assert "FAILURE" in results.by_scenario()["tools-list"]
    assert results.failed > 50


def test_a_server_that_does_not_start_is_an_error_with_its_words() -> None:
    """A command that ends before it printed an address is reported with what it printed."""
    with pytest.raises(SuiteError, match="no port left"):
        with serving([sys.executable, "-c", "print('no port left')"]):
            pass
