"""The pytest plugin that tells the host of each test as it ends."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from .channel import Channel
from .failures import Told, told

NOTHING: Told = {"message": "", "detail": "", "frames": []}
IDS_A_LINE = 500


class Reporter:
    """One `started` and one `case` line per test; `collected`, `collect_error` and `finish` around them."""

    def __init__(self, channel: Channel, root: str) -> None:
        self._channel = channel
        self._root = root
        self._outcomes: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._told: dict[str, Told] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say which tests are to run, in order."""
        ids = [item.nodeid for item in session.items]
        for at in range(0, len(ids), IDS_A_LINE):
            self._channel.send("collected", ids=ids[at : at + IDS_A_LINE])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say what could not be collected."""
        if report.failed:
            words = self._told.pop(report.nodeid, None) or told(None, report.longrepr, self._root)
            self._channel.send("collect_error", id=report.nodeid, **words)

    def pytest_exception_interact(self, call: pytest.CallInfo[None], report: object) -> None:
        """Keep the frames of what made a file impossible to collect."""
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            self._told[report.nodeid] = told(call.excinfo, report.longrepr, self._root)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Name the test that is about to run: should it take the process down, the host knows which it was."""
        self._channel.send("started", id=nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        """Keep the frames while the exception is at hand; the first failure of a test is the one told."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        if report.failed and item.nodeid not in self._told:
            self._told[item.nodeid] = told(call.excinfo, report.longrepr, self._root)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase's report; with the last one the test is told."""
        name = report.nodeid
        now = _outcome(report)
        if now and _WEIGHT[now] >= _WEIGHT[self._outcomes.get(name, "passed")]:
            self._outcomes[name] = now
        self._seconds[name] = self._seconds.get(name, 0.0) + report.duration
        if report.failed and name not in self._told:
            self._told[name] = told(None, report.longrepr, self._root)
        if report.when != "teardown":
            return
        words = self._told.pop(name, NOTHING)
        self._channel.send(
            "case",
            id=name,
            outcome=self._outcomes.pop(name, "error"),
            duration_s=round(self._seconds.pop(name), 6),
            **words,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Say the status pytest means to end with; the process's own must agree."""
        self._channel.send("finish", status=int(exitstatus))


_WEIGHT = {"passed": 0, "skipped": 1, "xfailed": 1, "xpassed": 1, "failed": 2, "error": 3}


def _outcome(report: pytest.TestReport) -> str:
    """A test's outcome as far as one phase tells it; empty when it tells nothing."""
    if hasattr(report, "wasxfail") and not report.failed:
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if report.skipped:
        return "skipped"
    return "passed" if report.when == "call" and report.passed else ""
