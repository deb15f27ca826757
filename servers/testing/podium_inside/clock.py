"""A CPU limit for the phases of one test: what takes longer is failed there, and the next one starts."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import pytest


class TookTooLong(BaseException):
    """Raised inside the test. Not an `Exception`, so that `except Exception` does not swallow it."""


class TestClock:
    """Arms the virtual timer, which counts the process's own CPU time, around each phase of a test.

    Only there does pytest take an exception for the test's own.

    Waiting (a deadlock, a sleep) costs no CPU: that is left to the wall limit of the whole job.
    """

    __test__ = False

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self) -> Generator[None]:
        """Fixtures being made."""
        with self._armed():
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self) -> Generator[None]:
        """The test itself."""
        with self._armed():
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None]:
        """Fixtures being undone."""
        with self._armed():
            yield

    @contextmanager
    def _armed(self) -> Generator[None]:
        # Rings again every half second should the test swallow the first one.
        before = signal.signal(signal.SIGVTALRM, self._ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, self._seconds, 0.5)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        __tracebackhide__ = True
        raise TookTooLong(f"the test used more than {self._seconds:g} s of CPU time")
