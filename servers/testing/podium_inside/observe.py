"""What a candidate changes beyond the failing tests: the calls of the changed functions, seen from other tests."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import pytest

from .codes import functions, key
from .described import described
from .edits import read
from .request import Trial
from .segments import compiled

CALLS_A_TEST = 500
CALLS = 20_000


@dataclass(frozen=True)
class Lines:
    """Changed lines by file, before and after."""

    old: dict[str, list[int]]
    new: dict[str, list[int]]


def lines_changed(root: str, trial: Trial) -> Lines:
    """The lines that differ; an insertion has none before, a deletion none after."""
    old: dict[str, list[int]] = {}
    new: dict[str, list[int]] = {}
    for splice in trial.splices:
        path = os.path.join(root, splice.path)
        before = read(path)
        ours, theirs = before.split("\n"), ("" if splice.delete else splice.apply(before)).split("\n")
        most = min(len(ours), len(theirs))
        head = next((at for at in range(most) if ours[at] != theirs[at]), most)
        tail = next((at for at in range(most - head) if ours[-1 - at] != theirs[-1 - at]), most - head)
        old[path] = list(range(head + 1, len(ours) - tail + 1))
        new[path] = list(range(head + 1, len(theirs) - tail + 1))
    return Lines(old, new)


class Watch:
    """Watches calls of `codes` and the running of `lines`; as a pytest plugin, per test."""

    def __init__(self, codes: list[CodeType], lines: dict[str, list[int]]) -> None:
        self._keys = {key(code) for code in codes}
        self._lines = {(path, line) for path, numbers in lines.items() for line in numbers}
        self._known: dict[int, tuple[CodeType, bool]] = {}
        self._calls: dict[str, list[str]] = {}
        self._through: set[str] = set()
        self._left = CALLS
        self._test = ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None]:
        """Watch one test."""
        self._test = item.nodeid
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)

    @classmethod
    def whole_files(cls, paths: list[str], lines: dict[str, list[int]]) -> Watch:
        """Watch every function of these files, as they are on disk."""
        return cls([code for path in paths for code in functions(compiled(read(path), path))], lines)

    def seen(self) -> dict[str, Any]:
        """Per test the digests of its calls in order, and the tests that ran a changed line."""
        return {"calls": self._calls, "through": sorted(self._through)}

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Callable[..., Any] | None:
        code = frame.f_code
        known = self._known.get(id(code))
        if known is None:
            known = self._known[id(code)] = (code, key(code) in self._keys)
        return self._local(frame) if known[1] else None

    def _local(self, frame: FrameType) -> Callable[..., Any]:
        code, test = frame.f_code, self._test
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args, **kwargs
        given = [frame.f_locals.get(name) for name in code.co_varnames[:count]]
        raised: list[object] = []
        calls = self._calls.setdefault(test, [])

        def local(inner: FrameType, event: str, arg: Any) -> Callable[..., Any]:
            if event == "line":
                raised.clear()  # what was raised has been caught
                if (code.co_filename, inner.f_lineno) in self._lines:
                    self._through.add(test)
            elif event == "exception":
                raised[:] = [arg[1]]
            elif event == "return" and self._left > 0 and len(calls) < CALLS_A_TEST:
                self._left -= 1
                words = [code.co_name, described(raised[0]) if raised else described(arg), described(given)]
                calls.append(hashlib.blake2b("\n".join(words).encode("utf-8", "replace"), digest_size=6).hexdigest())
            return local

        return local


def compare(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """Call by call, in order within each test; a call that is no longer made, or is new, is a changed one.

    Nothing of before means that nobody could look: zeros say nothing then. Nothing of after is a change of everything.
    """
    ours, theirs = before.get("calls", {}), after.get("calls", {})
    observed = sum(len(calls) for calls in ours.values())
    changed = 0
    for test, calls in ours.items():
        others = theirs.get(test, [])
        changed += sum(index >= len(others) or others[index] != call for index, call in enumerate(calls))
        changed += max(0, len(others) - len(calls))
    through = set(before.get("through", [])) | set(after.get("through", []))
    return {
        "observed": bool(before),
        "tests_through": len(through),
        "calls_observed": observed,
        "calls_changed": min(changed, observed),
    }
