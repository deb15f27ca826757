"""Tries edits in batches, until enough are plausible, none is left or the time is up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts import diff
from contracts.code_writer import ProposeParams
from contracts.patch import Patch
from contracts.sandbox import SandboxReport
from contracts.test_runner import Candidate, CandidateResult, TryPatchesParams, TryPatchesResult
from servers.search.candidates import Edit
from servers.search.rank import Plausible
from servers.specialist import Call, Crew, ToolError

FIRST_BATCH = 200
"""Few enough for a quick find, enough for rivals: every batch pays for starting two workers."""
LARGEST_BATCH = 800
BATCH_S = 8.0
"""Wall seconds a batch is sized for: long enough to make up for its set-up, short enough to report."""
RIVALS = 1.5
"""After the first plausible edit, so many times the candidates tried until then are tried in all …"""
AT_LEAST = 120
"""… and at least so many, to find rivals; a lone passing edit says less than one that won."""
FEW = 60
"""No batch is started for fewer rivals than this."""
MIN_BATCH_S = 1.0


@dataclass
class Trial:
    """One search's tries and their tally."""

    crew: Crew
    call: Call
    params: ProposeParams
    clock: Callable[[], float]
    deadline: float
    rejects: Callable[[Edit], str | None]
    """Why an edit that passes is nonsense; None when it may be a repair."""
    sandbox: SandboxReport
    plausible: list[Plausible] = field(default_factory=list[Plausible])
    nonsense: list[tuple[Edit, str]] = field(default_factory=list[tuple[Edit, str]])
    unconfirmed: list[Edit] = field(default_factory=list[Edit])
    """Passed the fast trial of the last batch, and there was no time for the whole suite."""
    flaky: dict[str, None] = field(default_factory=dict[str, None])
    tally: Counter[str] = field(default_factory=Counter[str])
    tried: int = 0
    trying_s: float = 0.0
    ended: Literal["enough", "exhausted", "budget"] = "exhausted"
    _stop_at: float = float("inf")

    async def run(self, edits: Sequence[Edit]) -> None:
        """Try `edits` in their order.

        Raises:
            ToolError: what the test runner says, but for running out of time.
        """
        queue = deque(edits)
        rejected = {feedback.patch_sha256 for feedback in self.params.feedback}
        size = FIRST_BATCH
        while queue:
            left = self.deadline - self.clock()
            if left < MIN_BATCH_S:
                self.ended = "budget"
                return
            batch = self._next(queue, size, rejected)
            if not batch:
                return
            began = self.clock()
            try:
                untried, per_s = await self._try(batch, left)
            except ToolError as error:
                if error.failure.kind != "timeout":
                    raise
                self.ended = "budget"
                return
            self.trying_s += self.clock() - began
            queue.extendleft(reversed(untried))
            message = f"{self.tried} candidates tried, {len(self.plausible)} plausible"
            await self.call.progress(self.tried, len(edits), message)
            if self.plausible and (self.tried + FEW > self._stop_at or len(self.plausible) >= self._enough):
                self.ended = "enough"
                return
            if len(untried) == len(batch):
                self.ended = "budget"
                return
            size = int(min(LARGEST_BATCH, max(FIRST_BATCH, per_s * BATCH_S)))
            if self.plausible:
                size = max(1, min(size, int(self._stop_at) - self.tried))

    @property
    def _enough(self) -> int:
        return max(3 * self.params.max_proposals, 10)

    def _next(self, queue: deque[Edit], size: int, rejected: set[str | None]) -> list[tuple[Edit, Patch]]:
        """The next edits that compile, with their patches; those a person rejected are left out."""
        batch: list[tuple[Edit, Patch]] = []
        while queue and len(batch) < size:
            edit = queue.popleft()
            if edit.sound():
                patch = as_patch(edit)
                if patch.sha256 not in rejected:
                    batch.append((edit, patch))
        return batch

    async def _try(self, batch: list[tuple[Edit, Patch]], left: float) -> tuple[list[Edit], float]:
        """Try a batch; answers what is still to be tried, the unconfirmed first, and the candidates per second."""
        params = TryPatchesParams(
            run=self.params.run,
            candidates=tuple(Candidate(id=str(index), diff=patch.diff) for index, (_, patch) in enumerate(batch)),
            failing=self.params.failing,
            budget_s=left,
            enough=max(1, self._enough - len(self.plausible)),
        )
        answer = await self.crew.call("test_runner.try_patches", params, TryPatchesResult, parent=self.call)
        self.sandbox = answer.sandbox
        results = {result.id: result for result in answer.results}
        self.flaky.update(dict.fromkeys(answer.flaky))
        first, untried = list[Edit](), list[Edit]()
        for index, (edit, _) in enumerate(batch):
            result = results.get(str(index))
            if str(index) in answer.unconfirmed:
                first.append(edit)
            elif result is None or result.outcome == "untried":
                untried.append(edit)
            else:
                self._note(edit, result)
        self.unconfirmed = first
        return [*first, *untried], answer.per_s

    def _note(self, edit: Edit, result: CandidateResult) -> None:
        self.tried += 1
        if result.outcome != "plausible" or result.evidence is None:
            self.tally[result.outcome] += 1
        elif reason := self.rejects(edit):
            self.nonsense.append((edit, reason))
        else:
            if not self.plausible:
                self._stop_at = max(AT_LEAST, RIVALS * self.tried)
            self.plausible.append(Plausible(edit, result.evidence))


def as_patch(edit: Edit) -> Patch:
    """An edit as a unified diff."""
    path = edit.source.path
    return Patch.of(diff.make(path, edit.source.text, edit.result), (path,))
