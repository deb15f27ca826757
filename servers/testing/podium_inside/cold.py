"""A process that has imported pytest and its plugins, and nothing of the tree: module-level changes start here."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable, Generator
from typing import Any, NoReturn

import pytest
from _pytest.config import default_plugins

from .children import Answer, Bounds, Leave, Nursery
from .clock import TestClock
from .edits import read, write
from .items import Brief, Outcomes, StopEarly, judged
from .observe import Watch, lines_changed
from .request import Request, Trial
from .segments import Invalid, compiled
from .session import options, run

SUITE_TEST_CPU_S = 5.0


class ColdServer:
    """Asked over a pipe, one question at a time; forks a child for each."""

    def __init__(self, request: Request, channel_fd: int) -> None:
        preload(request.root)
        self._trials = {trial.id: trial for trial in request.trials}
        self._request = request
        ask_read, ask_write = os.pipe()
        say_read, say_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (ask_write, say_read, channel_fd):
                os.close(fd)
            self._serve(ask_read, say_write)
        os.close(ask_read)
        os.close(say_write)
        self.fds = (ask_write, say_read)
        self._ask = os.fdopen(ask_write, "w", encoding="ascii")
        self._say = os.fdopen(say_read, "r", encoding="ascii")

    def question(self, stage: str, trial: Trial | None, bounds: Bounds, **more: object) -> Answer:
        """`stage` names a method of `Stages`; `trial` None means the tree as it is."""
        asked = {"stage": stage, "trial": trial.id if trial else None, "cpu_s": bounds.cpu_s, "wall_s": bounds.wall_s}
        self._ask.write(json.dumps({**asked, "more": more}) + "\n")
        self._ask.flush()
        return Answer(**json.loads(self._say.readline()))

    def close(self) -> None:
        """End the process."""
        self._ask.close()
        self._say.close()
        os.waitpid(self.pid, 0)

    def _serve(self, ask: int, say: int) -> NoReturn:
        nursery = Nursery(close=(ask, say))
        with os.fdopen(ask, "r", encoding="ascii") as questions, os.fdopen(say, "w", encoding="ascii") as answers:
            for line in questions:
                asked: dict[str, Any] = json.loads(line)
                trial = self._trials.get(asked["trial"])
                work = self._work(asked["stage"], trial, asked["more"])
                answer = nursery.do(work, Bounds(asked["cpu_s"], asked["wall_s"]))
                answers.write(json.dumps(answer.__dict__) + "\n")
                answers.flush()
        os._exit(0)

    def _work(self, stage: str, trial: Trial | None, more: dict[str, Any]) -> Callable[[Leave], dict[str, Any]]:
        stages = Stages(self._request, trial, more)
        return {"first": stages.first, "whole": stages.whole, "observe": stages.observe}[stage]


class Stages:
    """What a cold child does: a pytest run of its own, on the tree with the candidate on disk."""

    def __init__(self, request: Request, trial: Trial | None, more: dict[str, Any]) -> None:
        self._request = request
        self._trial = trial
        self._more = more

    def first(self, leave: Leave) -> dict[str, Any]:
        """The failing tests."""
        return self._judge(self._request.tests, lambda _name, outcome: outcome != "passed", [], leave)

    def whole(self, leave: Leave) -> dict[str, Any]:
        """The whole suite, until a test that passed no longer does."""
        before: dict[str, str] = self._more["expected"]
        return self._judge(
            [], lambda name, outcome: before.get(name) == "passed" != outcome, [TestClock(SUITE_TEST_CPU_S)], leave
        )

    def observe(self, leave: Leave) -> dict[str, Any]:
        """The calls of all functions of the changed files; changed lines count only inside functions."""
        root, trial = self._request.root, self._more["of"]
        one = next(each for each in self._request.trials if each.id == trial)
        lines = lines_changed(root, one)
        self._write()
        paths = [os.path.join(root, splice.path) for splice in one.splices if not splice.delete]
        watch = Watch.whole_files(paths, lines.new if self._trial else lines.old)
        return self._pytest([], [watch, Only(self._more["tests"])], watch.seen, leave)

    def _judge(
        self, tests: list[str], stop: Callable[[str, str], bool], plugins: list[object], leave: Leave
    ) -> dict[str, Any]:
        try:
            self._write()
        except Invalid:
            return {"outcome": "invalid"}
        outcomes = Outcomes(stop)

        def verdict() -> dict[str, Any]:
            return judged(outcomes, self._more["expected"])

        return self._pytest(tests, [outcomes, StopEarly(outcomes), *plugins], verdict, leave)

    def _write(self) -> None:
        if self._trial is None:
            return
        write(self._request.root, self._trial.splices)
        for splice in self._trial.splices:
            path = os.path.join(self._request.root, splice.path)
            if splice.path.endswith(".py") and not splice.delete:
                compiled(read(path), path)

    def _pytest(
        self, tests: list[str], plugins: list[object], verdict: Callable[[], dict[str, Any]], leave: Leave
    ) -> dict[str, Any]:
        args = options(self._request, tests, past_errors=True)
        run(["--assert=plain", "-s", *args], [Brief(), *plugins, LeaveAfterwards(lambda: leave(verdict()))])
        return verdict()


class LeaveAfterwards:
    """Leaves when the last test has ended; summaries and the like are for people."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None]:
        """Around the tests."""
        yield
        self._leave()


class Only:
    """Runs some tests of the suite, in its order."""

    def __init__(self, names: list[str]) -> None:
        self._names = set(names)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Drop the others."""
        items[:] = [item for item in items if item.nodeid in self._names]


def preload(root: str) -> None:
    """Import what every pytest run imports: its own parts and installed plugins, but none that live in the tree."""
    for name in default_plugins:
        with contextlib.suppress(ImportError):
            importlib.import_module(f"_pytest.{name}")
    for entry in _entry_points():
        try:
            spec = importlib.util.find_spec(entry.value.partition(":")[0].partition(".")[0])
            if spec is not None and spec.origin and not spec.origin.startswith(root + os.sep):
                entry.load()
        except Exception:
            continue


def _entry_points() -> list[Any]:
    """Those pytest will load: all, or the ones it was told by name."""
    found: Any = importlib.metadata.entry_points()
    # 3.8 and 3.9: a dictionary
    plugins: list[Any] = list(found.select(group="pytest11") if hasattr(found, "select") else found.get("pytest11", []))
    if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ:
        return plugins
    named = os.environ.get("PYTEST_ADDOPTS", "").split()
    return [each for each in plugins if each.name in named]
