"""The suite without any candidate: the measure of what a candidate makes worse, run once for each state of a tree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from contracts.test_runner import RunResult

KEPT = 8
"""Runs whose last baseline is remembered."""

Run = Callable[[], Awaitable[RunResult]]


@dataclass
class Baseline:
    """One full run of a tree as it is, and the tests that ended otherwise another time."""

    result: RunResult
    flaky: set[str] = field(default_factory=set[str])
    _asked: bool = False

    @property
    def test_cpu_s(self) -> float:
        """CPU seconds a test may take with a candidate: far more than any that passed took without."""
        return 2 + 5 * max((each.duration_s for each in self.result.cases if each.outcome == "passed"), default=0.0)

    @property
    def wall_s(self) -> float:
        """Wall seconds the suite may take with a candidate."""
        return 10 + 5 * self.result.duration_s

    async def find_flaky(self, run: Run) -> None:
        """Run the suite a second time, unless that was done, and compare."""
        if self._asked:
            return
        self._asked = True
        again = await run()
        now = {each.id: each.outcome for each in again.cases}
        if again.outcome in ("passed", "failed"):
            self.flaky |= {each.id for each in self.result.cases if now.get(each.id, each.outcome) != each.outcome}


@dataclass
class Baselines:
    """What is known of each run's tree, by its state; a changed tree has none."""

    _kept: dict[str, tuple[str, Baseline]] = field(default_factory=dict[str, "tuple[str, Baseline]"])

    def get(self, run: str, state: str) -> Baseline | None:
        """The baseline of this very state."""
        known = self._kept.get(run)
        return known[1] if known is not None and known[0] == state else None

    def keep(self, run: str, state: str, baseline: Baseline) -> None:
        """Remember it, in the place of the run's former one."""
        self._kept.pop(run, None)
        self._kept[run] = (state, baseline)
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
