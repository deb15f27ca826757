"""Runs collected tests in a child and keeps their outcomes, without the cost of telling them well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .nodeids import under

GOOD = ("passed", "skipped", "xfailed", "xpassed")


class Outcomes:
    """A pytest plugin that keeps each test's outcome; `stop` decides, after a test, whether to go on."""

    def __init__(self, stop: Callable[[str, str], bool] | None = None) -> None:
        self.begin(stop)

    def begin(self, stop: Callable[[str, str], bool] | None = None) -> None:
        """Forget, and stop where `stop` says so."""
        self.by_id: dict[str, str] = {}
        self.stopped = False
        self._stop = stop

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Failures stick; the call's outcome counts otherwise."""
        name, now = report.nodeid, self.by_id.get(report.nodeid, "")
        if report.failed:
            self.by_id[name] = "failed"
        elif now != "failed" and (report.when == "call" or report.skipped):
            xfail = hasattr(report, "wasxfail")
            self.by_id[name] = ("xfailed" if report.skipped else "xpassed") if xfail else str(report.outcome)
        if report.when == "teardown" and self._stop and self._stop(name, self.by_id.get(name, "failed")):
            self.stopped = True


class StopEarly:
    """Ends a whole pytest run where `Outcomes` wants to stop."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        """pytest looks at `shouldstop` after each test."""
        if self._outcomes.stopped and self._session is not None:
            self._session.shouldstop = "enough is known"

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember whom to stop."""
        self._session: pytest.Session | None = session


class Brief:
    """No report of a failure is rendered: nobody reads it, and it costs far more than most tests."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Every item says `failed` and no more."""
        for item in session.items:
            make_brief(item)


def make_brief(item: pytest.Item) -> None:
    """Let the item render its failures as one word."""

    def word(*_args: Any, **_kwargs: Any) -> str:
        return "failed"

    item.repr_failure = word
    setattr(item, "_repr_failure_py", word)  # noqa: B010 - what pytest calls for setup and teardown, not public


def chosen(items: list[pytest.Item], names: list[str]) -> list[pytest.Item]:
    """Those that are, or lie below, one of `names`, in their order."""
    return [item for item in items if any(under(item.nodeid, name) for name in names)]


def judged(outcomes: Outcomes, expected: dict[str, str]) -> dict[str, Any]:
    """Whether every test that was to pass did; a test that is gone did not, unless the run was stopped before it."""
    failed = [
        name
        for name, was in expected.items()
        if was == "passed" and outcomes.by_id.get(name, "passed" if outcomes.stopped else "missing") != "passed"
    ]
    return {"outcome": "failing" if failed else "survived", "failed": failed[:20]}


def run_items(items: list[pytest.Item], outcomes: Outcomes, plugins: list[object]) -> None:
    """Run them one by one through pytest's own protocol, so that all its plugins have their say.

    `outcomes` is registered already: pluggy takes a millisecond for it. The order of setup and teardown is that
    of a run of just these.
    """
    following: list[pytest.Item | None] = [*items[1:], None]
    for index, item in enumerate(items):
        if not index:
            for plugin in plugins:
                item.config.pluginmanager.register(plugin)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following[index])
        if outcomes.stopped:
            return
