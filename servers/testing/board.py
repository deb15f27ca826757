"""The score of one batch of candidates."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from contracts.test_runner import CandidateOutcome, CandidateResult, TryPatchesParams, TryPatchesResult
from servers.testing.baseline import Baseline
from servers.testing.claims import Observed, Tried
from servers.testing.confined import Tail


@dataclass
class Board:
    """What is known of each candidate; `wanted` plausible ones are enough."""

    wanted: int
    begun: int = 0
    flaky: set[str] = field(default_factory=set[str])
    _settled: dict[str, CandidateResult] = field(default_factory=dict[str, CandidateResult])
    _survived: dict[str, Tried] = field(default_factory=dict[str, Tried])
    _observed: dict[str, Observed] = field(default_factory=dict[str, Observed])
    _first: float | None = None
    _last: float = 0.0
    _tried: int = 0
    _tail: Tail = field(default_factory=Tail)

    def begin(self) -> None:
        """A candidate is about to be tried: the first one starts the clock."""
        self.begun += 1
        if self._first is None:
            self._first = anyio.current_time()

    def tried(self, claim: Tried) -> bool:
        """Take in the fast path's word; True where it has to be confirmed."""
        self._tried += 1
        self._last = anyio.current_time()
        if claim.outcome == "survived":
            self._survived[claim.id] = claim
            return True
        self.settle(CandidateResult(id=claim.id, outcome=claim.outcome, failed=claim.failed, cpu_s=claim.cpu_s))
        return False

    def observed(self, claim: Observed) -> None:
        """Take in what else a survivor changes."""
        self._observed[claim.id] = claim

    def settle(self, result: CandidateResult) -> None:
        """This is the candidate's result."""
        survived = self._survived.get(result.id)
        cpu_s = result.cpu_s or (survived.cpu_s if survived else 0.0)
        self._settled[result.id] = result.model_copy(update={"cpu_s": cpu_s})

    def knows(self, candidate: str) -> bool:
        """Whether it needs no trying any more."""
        return candidate in self._settled or candidate in self._survived

    @property
    def done(self) -> int:
        """Candidates with a result, or waiting for confirmation."""
        return len(self._settled.keys() | self._survived.keys())

    @property
    def waiting(self) -> int:
        """Survivors to confirm, as far as they are wanted."""
        return min(len(self._survived.keys() - self._settled.keys()), max(0, self.wanted - self.plausible))

    @property
    def plausible(self) -> int:
        """Candidates confirmed."""
        return sum(each.outcome == "plausible" for each in self._settled.values())

    @property
    def enough(self) -> bool:
        """Whether so many are plausible, and observed, that the rest need not be tried."""
        return self.plausible >= self.wanted and all(
            name in self._observed for name, each in self._settled.items() if each.outcome == "plausible"
        )

    @property
    def words(self) -> str:
        """For people who wait."""
        return f"{self.done} tried, {self.plausible} plausible"

    def due(self) -> bool:
        """Whether to say so now."""
        return self._tail.due(anyio.current_time())

    def result(self, params: TryPatchesParams, baseline: Baseline, duration_s: float) -> TryPatchesResult:
        """One result per candidate, in the order given."""
        seconds = self._last - self._first if self._first is not None else 0.0
        suite, unconfirmed = baseline.result, self._survived.keys() - self._settled.keys()
        return TryPatchesResult(
            results=tuple(self._of(candidate.id) for candidate in params.candidates),
            baseline_failed=tuple(case.id for case in suite.cases if case.outcome in ("failed", "error")),
            unconfirmed=tuple(each.id for each in params.candidates if each.id in unconfirmed),
            flaky=tuple(case.id for case in suite.cases if case.id in baseline.flaky | self.flaky),
            per_s=round(self._tried / seconds, 2) if seconds > 0 else 0.0,
            duration_s=duration_s,
            sandbox=suite.sandbox,
        )

    def _of(self, candidate: str) -> CandidateResult:
        untried: CandidateOutcome = "untried"
        result = self._settled.get(candidate, CandidateResult(id=candidate, outcome=untried))
        seen = self._observed.get(candidate)
        if result.evidence is None or seen is None:
            return result
        words = seen.model_dump(include={"observed", "tests_through", "calls_observed", "calls_changed"})
        return result.model_copy(update={"evidence": result.evidence.model_copy(update=words)})
