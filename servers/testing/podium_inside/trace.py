"""Traces which lines each test runs: the failing tests first, the others only in functions those reach."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import pytest

from .channel import Channel
from .clock import TestClock
from .nodeids import under
from .reporter import Reporter
from .request import Request
from .session import options, run


class Lines:
    """The lines of one code object that the current test has run."""

    def __init__(self, path: str, code: CodeType) -> None:
        self.path = path
        self.code = code  # kept alive: entries are found by its id
        self.ran: set[int] = set()

    def local(self, frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        """What the interpreter calls for each line of a frame (`sys.settrace`)."""
        if event == "line":
            self.ran.add(frame.f_lineno)
        return self.local


class Tracer:
    """A pytest plugin around each test. Module bodies are left out: what runs on import belongs to no test."""

    def __init__(self, channel: Channel, request: Request) -> None:
        self._channel = channel
        self._failing = request.tests
        self._prefix = request.root + os.sep
        self._deadline = time.monotonic() + request.budget_s
        self._entries: dict[int, Lines | None] = {}
        self._reached: set[tuple[str, int, str]] = set()
        self._is_failing = True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Failing tests first, the rest as they were."""
        items.sort(key=lambda item: not self._fails(item.nodeid))

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Trace one test, setup and teardown included; send what it ran before its outcome is known."""
        failing = self._fails(item.nodeid)
        if failing != self._is_failing:
            self._is_failing = failing
            self._entries.clear()  # what was looked at while failing tests ran may now be of no interest
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # pyright: ignore[reportArgumentType] - typeshed forgets that None resets it
            self._send(item.nodeid)
        if not failing and time.monotonic() > self._deadline:
            item.session.shouldstop = "the time for tracing is over"

    def _fails(self, nodeid: str) -> bool:
        return any(under(nodeid, name) for name in self._failing)

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        code = frame.f_code
        try:
            entry = self._entries[id(code)]
        except KeyError:
            entry = self._entries[id(code)] = self._entry(code)
        return entry.local if entry is not None else None

    def _entry(self, code: CodeType) -> Lines | None:
        name = code.co_filename
        if not name.startswith(self._prefix) or code.co_name == "<module>":
            return None
        key = (name, code.co_firstlineno, code.co_name)
        if self._is_failing:
            self._reached.add(key)
        return Lines(name[len(self._prefix) :], code) if key in self._reached else None

    def _send(self, nodeid: str) -> None:
        by_path: dict[str, set[int]] = {}
        for entry in list(self._entries.values()):
            if entry is not None and entry.ran:
                by_path.setdefault(entry.path, set()).update(entry.ran)
                entry.ran = set()
        for path, ran in by_path.items():
            self._channel.send("lines", test=nodeid, path=path, lines=sorted(ran))


def trace(request: Request, channel: Channel) -> int:
    """Run the whole suite traced; pytest's exit status."""
    plugins: list[object] = [Reporter(channel, request.root), Tracer(channel, request), TestClock(request.test_cpu_s)]
    return run(options(request, [], past_errors=True), plugins)
