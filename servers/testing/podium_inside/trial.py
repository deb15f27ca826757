"""Tries candidates one after another, each in forked children of a process that has collected the tests.

One that changes functions only is tried in a child of this process, where their code is swapped; one that
changes what runs on import in a child of a process that has imported nothing of the tree yet (the *cold* one).
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import pytest

from .channel import Channel
from .children import Answer, Bounds, Leave, Nursery
from .clock import TestClock
from .codes import NeedsImport
from .cold import SUITE_TEST_CPU_S, ColdServer
from .edits import Loaded, imports_watched, write
from .items import Brief, Outcomes, chosen, judged, run_items
from .mending import Mender, Spoilt, private_folders
from .observe import Watch, compare, lines_changed
from .request import Request, Trial
from .segments import Invalid
from .session import Quiet, options, run

TWICE_SHARE = 0.05
"""A suite that takes no more of the time left is run twice before candidates: a flaky test must not refute one."""


def trial(request: Request, channel: Channel) -> int:
    """Collect the whole suite, then try `request.trials` until the budget ends."""
    ends = time.monotonic() + request.budget_s
    # What an import in the tree leaves behind must not reach the cold process: it is forked off first.
    cold = ColdServer(request, channel.fd)
    ran: set[tuple[str, int, str]] = set()
    args = [*options(request, [], past_errors=True), "--assert=plain", "-s"]
    args += ["--basetemp", os.path.join(tempfile.gettempdir(), "pytest")]
    try:
        with imports_watched(request.root, ran):
            return run(args, [Brief(), Quiet(), Bench(request, channel, cold, ran, ends)])
    finally:
        cold.close()


class Bench:
    """The pytest plugin whose test loop is the trial of the candidates."""

    def __init__(
        self, request: Request, channel: Channel, cold: ColdServer, ran: set[tuple[str, int, str]], ends: float
    ) -> None:
        self._request = request
        self._channel = channel
        self._cold = cold
        self._ran = ran
        self._ends = ends
        self._nursery = Nursery(close=(channel.fd, *cold.fds), spare=cold.pid)
        self._outcomes = Outcomes()
        self._before: dict[str, str] | None = None
        self._suite = Bounds(1, 1)
        self._spoilt = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests: try the candidates."""
        self._items: list[pytest.Item] = list(session.items)
        self._failing = chosen(self._items, self._request.tests)
        self._channel.send("collected", ids=[item.nodeid for item in self._failing])
        self._wanted = {item.nodeid: "passed" for item in self._failing}
        session.config.pluginmanager.register(self._outcomes)
        self._loaded = Loaded(self._request.root, self._ran)
        for one in self._request.trials:
            self._loaded.prepare(one)
        temporary = [tempfile.gettempdir(), os.path.expanduser("~"), *private_folders()]
        self._mender = Mender(self._request.root, sorted(set(temporary)))
        for one in self._request.trials:
            for splice in one.splices:
                self._mender.keep(splice.path, always=True)
        gc.collect()
        gc.freeze()
        collect_s = time.process_time()
        first = self._do(lambda _: self._run_failing(), Bounds(min(5.0, self._request.budget_s / 6), 15.0))
        known = first.ended == "said"
        # Wall time bounds what waits; it is generous, because the machine may be busy with other things.
        self._bounds = Bounds(0.25 + 8 * first.cpu_s, 3 + 10 * first.wall_s) if known else Bounds(1.0, 4.0)
        self._cold_bounds = self._bounds.plus(Bounds(2 + 3 * collect_s, 5 + 5 * collect_s))
        for one in self._request.trials:
            if time.monotonic() > self._ends or self._spoilt:
                break  # with a spoilt copy the host starts another worker on a fresh one
            self._channel.send("trying", id=one.id)
            self._try(one)
        return True

    def _try(self, one: Trial) -> None:
        said = self._do(lambda _: self._swapped(one, self._run_failing), self._bounds)
        cpu_s = said.cpu_s
        warm = said.data.get("outcome") != "import"
        if not warm:
            said = self._ask("first", one, self._cold_bounds, expected=self._wanted)
            cpu_s += said.cpu_s
        outcome, failed = outcome_of(said)
        if outcome == "survived" and not self._spoilt:
            said = self._whole(one, warm)
            cpu_s += said.cpu_s
            outcome, failed = outcome_of(said)
            if outcome == "failing" and not set(failed) & set(self._wanted):
                outcome = "regressed"
        self._channel.send("tried", id=one.id, outcome=outcome, failed=failed, cpu_s=round(cpu_s, 6))
        if outcome == "survived":
            seen = compare({}, {}) if self._spoilt else self._observe(one, warm)
            self._channel.send("observed", id=one.id, **seen)

    def _do(self, work: Callable[[Leave], dict[str, Any]], bounds: Bounds) -> Answer:
        return self._mended(self._nursery.do(work, bounds))

    def _ask(self, stage: str, one: Trial | None, bounds: Bounds, **more: object) -> Answer:
        return self._mended(self._cold.question(stage, one, bounds, **more))

    def _mended(self, answer: Answer) -> Answer:
        try:
            self._mender.mend()
        except (Spoilt, OSError):
            self._spoilt = True
        return answer

    # What children do.

    def _swapped(self, one: Trial, then: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            self._loaded.swap(self._loaded.swaps(one))
        except Invalid:
            return {"outcome": "invalid"}
        except NeedsImport:
            return {"outcome": "import"}
        write(self._request.root, one.splices)
        return then()

    def _run_failing(self) -> dict[str, Any]:
        self._outcomes.begin(lambda _name, outcome: outcome != "passed")
        run_items(self._failing, self._outcomes, [])
        return judged(self._outcomes, self._wanted)

    def _run_suite(self, expected: dict[str, str]) -> dict[str, Any]:
        self._outcomes.begin(lambda name, outcome: expected.get(name) == "passed" != outcome)
        run_items(self._items, self._outcomes, [TestClock(SUITE_TEST_CPU_S)])
        return judged(self._outcomes, expected)

    def _run_all(self) -> dict[str, Any]:
        self._outcomes.begin()
        run_items(self._items, self._outcomes, [TestClock(SUITE_TEST_CPU_S)])
        return {"outcomes": self._outcomes.by_id}

    # The second stage and what follows.

    def _expected(self) -> dict[str, str]:
        """Outcomes of the suite without a candidate, but with the failing tests passing; found when first needed."""
        if self._before is None:
            left = max(1.0, self._ends - time.monotonic())
            said = self._do(lambda _: self._run_all(), Bounds(left, left))
            before: dict[str, str] = said.data.get("outcomes", {})
            if said.wall_s < left * TWICE_SHARE:
                again = self._do(lambda _: self._run_all(), Bounds(left, left)).data.get("outcomes", before)
                flaky = [name for name, was in before.items() if again.get(name, was) != was]
                if flaky:
                    self._channel.send("flaky", ids=flaky)
                before.update(dict.fromkeys(flaky, "flaky"))
            self._before = {**before, **dict.fromkeys(self._request.flaky, "flaky"), **self._wanted}
            self._suite = Bounds(2 + 3 * said.cpu_s, 5 + 5 * said.wall_s)
        return self._before

    def _whole(self, one: Trial, warm: bool) -> Answer:
        expected = self._expected()
        if warm:
            return self._do(lambda _: self._swapped(one, lambda: self._run_suite(expected)), self._suite)
        return self._ask("whole", one, self._suite.plus(self._cold_bounds), expected=expected)

    def _observe(self, one: Trial, warm: bool) -> dict[str, int]:
        """What else the candidate changes, as far as the tests that passed before can see it."""
        names = [name for name, was in self._expected().items() if was == "passed" and name not in self._wanted]
        bounds = self._suite.plus(self._suite).plus(self._suite)
        if not warm:
            bounds = bounds.plus(self._cold_bounds)
            before = self._ask("observe", None, bounds, of=one.id, tests=names)
            touched = sorted(before.data.get("calls", {}))
            after = self._ask("observe", one, bounds, of=one.id, tests=touched)
            return compare(before.data, after.data)
        pairs, lines = self._loaded.swaps(one), lines_changed(self._request.root, one)
        old = Watch([pair[0] for pair in pairs], lines.old)
        new = Watch([pair[1] for pair in pairs], lines.new)
        before = self._do(lambda _: self._watch(old, names), bounds)
        touched = sorted(before.data.get("calls", {}))
        after = self._do(lambda _: self._swapped(one, lambda: self._watch(new, touched)), bounds)
        return compare(before.data, after.data)

    def _watch(self, watch: Watch, names: list[str]) -> dict[str, Any]:
        wanted = set(names)
        self._outcomes.begin()
        run_items([item for item in self._items if item.nodeid in wanted], self._outcomes, [watch])
        return watch.seen()


def outcome_of(said: Answer) -> tuple[str, list[str]]:
    """A child's word, or how it ended without one."""
    if said.ended != "said":
        return said.ended, []
    outcome = said.data.get("outcome")
    failed = said.data.get("failed", [])
    known = outcome in ("survived", "failing", "invalid") and isinstance(failed, list)
    return (str(outcome), [str(each) for each in failed][:20]) if known else ("crashed", [])  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - read as JSON
