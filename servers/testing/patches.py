"""Tries candidate patches: fast in warm workers, then each survivor by a plain pytest run in a fresh process.

Two workers, each with its own scratch copy and sandbox, take every second candidate. Beside them runs the suite
without any candidate, unless that was done before, and each survivor is confirmed as soon as there is one. The fast
path only proposes; what is called plausible has passed the plain run.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from contracts.diff import DiffError
from contracts.sandbox import Limits
from contracts.secret_kinds import masked
from contracts.test_runner import (
    CandidateOutcome,
    CandidateResult,
    Evidence,
    RunResult,
    TryPatchesParams,
    TryPatchesResult,
)
from servers.specialist import Call, ToolError
from servers.testing.baseline import Baseline, Baselines
from servers.testing.board import Board
from servers.testing.claims import Claim, Tried, Trying
from servers.testing.claims import Flaky as FlakyClaim
from servers.testing.claims import Observed as ObservedClaim
from servers.testing.confined import Confined, token
from servers.testing.podium_inside.nodeids import under
from servers.testing.podium_inside.request import Request, Trial
from servers.testing.scratch import TREE, scratch_copy, splices, state, write
from servers.testing.suite import run_pytest

WORKERS = 2
RESTARTS = 5
CONFIRMERS = 2
WORKING_SHARE = 0.85
"""Of the budget, for the workers; the rest is for confirming what they found last."""
MARGIN = 1.5
"""Confirming takes so many times what the suite took without a candidate: the workers are busy beside it."""
GRACE_S = 5.0
"""For the last candidate to be stopped by its own limit."""
BAD = ("failed", "error")


@contextmanager
def plain_errors() -> Generator[None]:
    """A tool's error, raised in a task group, without the group around it."""
    failed: BaseException | None = None
    try:
        yield
    except* ToolError as group:
        error: BaseException = group
        while isinstance(error, ExceptionGroup):
            error = cast("ExceptionGroup[Exception]", error).exceptions[0]
        failed = error
    if failed is not None:
        raise failed


@dataclass
class Found:
    """The measure of one batch, once there is one."""

    ends: float
    state: str
    baseline: Baseline | None
    ready: anyio.Event = field(default_factory=anyio.Event)
    one_at_a_time: anyio.Lock = field(default_factory=anyio.Lock)

    def only_confirming(self, waiting: int) -> bool:
        """Whether the time left is what the survivors that wait will need."""
        if self.baseline is None or not waiting:
            return False
        rounds = -(-waiting // CONFIRMERS)
        return self.ends - anyio.current_time() < MARGIN * rounds * self.baseline.result.duration_s


@dataclass(frozen=True)
class Bench:
    """Where one batch is tried."""

    confined: Confined
    tree: Path
    scratch: Path
    call: Call
    params: TryPatchesParams
    baselines: Baselines

    async def work(self) -> TryPatchesResult:
        """Try all candidates, until the budget ends or enough are plausible.

        Raises:
            ToolError: unavailable, when the suite cannot be run; not_found or invalid, when the failing tests are
                not there or pass.
        """
        started = anyio.current_time()
        trials, board, found = await anyio.to_thread.run_sync(self._prepare, started + self.params.budget_s)
        send, receive = anyio.create_memory_object_stream[Trial](len(trials) or 1)
        with send, receive, anyio.move_on_after(self.params.budget_s), plain_errors():
            async with anyio.create_task_group() as everything:
                everything.start_soon(self._baseline, found)
                for _ in range(CONFIRMERS):
                    everything.start_soon(self._confirm, receive, board, found)
                async with anyio.create_task_group() as workers:
                    for start in range(WORKERS):
                        workers.start_soon(self._worker, trials[start::WORKERS], board, found, send, workers)
                send.close()  # the confirmers end with the last survivor
        if found.baseline is None:
            raise ToolError("timeout", f"the suite did not run once within {self.params.budget_s:g} s", retry=True)
        return board.result(self.params, found.baseline, anyio.current_time() - started)

    def _prepare(self, ends: float) -> tuple[list[Trial], Board, Found]:
        board, trials = Board(self.params.enough), list[Trial]()
        for candidate in self.params.candidates:
            try:
                trials.append(Trial(candidate.id, splices(self.tree, candidate.diff)))
            except DiffError:
                board.settle(CandidateResult(id=candidate.id, outcome="invalid"))
        now = state(self.tree)
        return trials, board, Found(ends, now, self.baselines.get(self.params.run, now))

    async def _baseline(self, found: Found) -> None:
        """Have the suite as it is, and see that the failing tests fail in it."""
        if found.baseline is None:
            budget_s = self.params.budget_s
            result = await self._plain(None, budget_s, min(5.0, max(2.0, budget_s / 6)))
            if result.outcome not in ("passed", "failed", "stopped"):
                raise ToolError("unavailable", f"the test suite cannot be run: {masked(result.reason)}")
            found.baseline = Baseline(result)
            if result.outcome != "stopped":
                self.baselines.keep(self.params.run, found.state, found.baseline)
        result = found.baseline.result
        if result.outcome != "stopped":
            missing = [name for name in self.params.failing if not any(under(each.id, name) for each in result.cases)]
            if missing:
                raise ToolError("not_found", f"the suite has no test {', '.join(missing)}")
            if not any(each.outcome in BAD for each in result.cases if self._fails(each.id)):
                raise ToolError("invalid", f"{', '.join(self.params.failing)} pass without any candidate")
        found.ready.set()

    async def _plain(self, trial: Trial | None, wall_s: float, test_cpu_s: float) -> RunResult:
        async with scratch_copy(self.tree, self.scratch) as home:
            if trial is not None:
                write(home / TREE, trial.splices)
            limits = Limits(wall_s=wall_s, cpu_s=wall_s)
            return await run_pytest(
                self.confined, home, self.call, limits=limits, test_cpu_s=test_cpu_s, past_errors=True, quiet=True
            )

    async def _worker(
        self,
        trials: list[Trial],
        board: Board,
        found: Found,
        send: MemoryObjectSendStream[Trial],
        workers: TaskGroup,
    ) -> None:
        """One warm process after another, should a candidate bring one down or spoil its copy."""
        until = anyio.current_time() + self.params.budget_s * WORKING_SHARE
        for _ in range(RESTARTS):
            left = until - anyio.current_time()
            trials = [trial for trial in trials if not board.knows(trial.id)]
            if not trials or left <= 0:
                return
            before = board.begun
            async with scratch_copy(self.tree, self.scratch) as home:
                died_on = await self._warm(home, trials, board, found, send, workers, left)
            if died_on is not None:
                board.settle(died_on)
            elif board.begun == before:
                break
        for trial in trials:
            if not board.knows(trial.id):
                send.send_nowait(trial)  # no warm process will do: the plain run decides alone

    async def _warm(
        self,
        home: Path,
        trials: list[Trial],
        board: Board,
        found: Found,
        send: MemoryObjectSendStream[Trial],
        workers: TaskGroup,
        left: float,
    ) -> CandidateResult | None:
        """The candidate during which the process ended, if it did."""
        by_id = {trial.id: trial for trial in trials}
        trying = ""

        async def on_claim(claim: Claim) -> None:
            nonlocal trying
            match claim:
                case Trying() if claim.id in by_id and not board.knows(claim.id):
                    trying = claim.id
                    board.begin()
                case Tried() if claim.id == trying:
                    trying = ""
                    if board.tried(claim):
                        send.send_nowait(by_id[claim.id])
                    if board.due():
                        await self.call.progress(board.done, len(self.params.candidates), board.words)
                case ObservedClaim() if claim.id in by_id:
                    board.observed(claim)
                case FlakyClaim():
                    board.flaky.update(claim.ids)
                case _:
                    pass
            if board.enough or found.only_confirming(board.waiting):
                workers.cancel_scope.cancel()

        request = Request(
            verb="try",
            token=token(),
            root=str(home / TREE),
            tests=list(self.params.failing),
            budget_s=left,
            trials=trials,
            flaky=sorted(found.baseline.flaky if found.baseline else ()),
        )
        limits = Limits(wall_s=left + GRACE_S, cpu_s=left + GRACE_S)
        finished = await self.confined.ask(home, request, limits, on_claim)
        if not trying:
            return None
        return CandidateResult(id=trying, outcome="hung" if finished.report.ended == "wall_time" else "crashed")

    async def _confirm(self, receive: MemoryObjectReceiveStream[Trial], board: Board, found: Found) -> None:
        """Run the whole suite on each survivor, as anybody would."""
        await found.ready.wait()
        baseline = found.baseline
        async for trial in receive:
            if baseline is None or baseline.result.outcome == "stopped" or board.enough:
                continue
            result = await self._plain(trial, baseline.wall_s, baseline.test_cpu_s)
            judged = self._judged(trial, baseline, result, board)
            if judged.outcome == "regressed":
                async with found.one_at_a_time:
                    await baseline.find_flaky(partial(self._plain, None, baseline.wall_s, baseline.test_cpu_s))
                judged = self._judged(trial, baseline, result, board)
            board.settle(judged)
            await self.call.progress(board.done, len(self.params.candidates), board.words)

    def _judged(self, trial: Trial, baseline: Baseline, result: RunResult, board: Board) -> CandidateResult:
        baseline.flaky |= board.flaky
        now, cases = {each.id: each.outcome for each in result.cases}, baseline.result.cases
        still = [each.id for each in cases if self._fails(each.id) and now.get(each.id) != "passed"]
        passed = [each.id for each in cases if each.outcome == "passed" and each.id not in baseline.flaky]
        worse = [name for name in passed if now.get(name) != "passed" and name not in still]
        outcome: CandidateOutcome
        if result.outcome == "stopped":
            outcome = "hung"
        elif result.outcome not in ("passed", "failed"):
            outcome = "crashed"
        elif still:
            outcome = "failing"
        elif worse:
            outcome = "regressed"
        else:
            evidence = Evidence(
                suite_passed=result.counts.passed,
                suite_failed=result.counts.failed + result.counts.error,
                observed=False,
                tests_through=0,
                calls_observed=0,
                calls_changed=0,
            )
            return CandidateResult(id=trial.id, outcome="plausible", evidence=evidence)
        return CandidateResult(id=trial.id, outcome=outcome, failed=tuple([*still, *worse][:20]))

    def _fails(self, case: str) -> bool:
        return any(under(case, name) for name in self.params.failing)
