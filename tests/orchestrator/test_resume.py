"""Crashes and races: a run goes on where it was, with the same result and no effect twice."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from bus.bus import NO_HEADERS, Expect, Headers
from bus.errors import BusUnavailable
from bus.memory import MemoryBus
from contracts.run import Event, RunResumedEvent, RunStartedEvent
from contracts.state import RunState
from contracts.task import Task
from contracts.test_runner import RunResult
from orchestrator.errors import Diverged, TakenOver, Torn, UnknownRun
from orchestrator.ports import Delivered
from orchestrator.run import Outcome
from orchestrator.runs import events_of, list_runs, state_of
from orchestrator.state import fold
from tests.orchestrator.crew import BAD, GOOD, RUN, ScriptedCheckout, proposal
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage, make_stage
from tests.orchestrator.test_gates import PLAN, PatientDesk, approve


class Killed(BaseException):
    """The process is gone; nothing that is written for exceptions may run on it."""


class FrailBus(MemoryBus):
    """A bus whose process dies at its `dies_at`-th stored message: before it is stored, or just after."""

    dies_at = 0
    after = False
    count = 0

    async def store(
        self,
        subject: str,
        body: bytes,
        headers: Headers = NO_HEADERS,
        *,
        expect: Expect | None = None,
        patient: bool = False,
    ) -> int:
        """See `Bus.store`."""
        self.count += 1
        if self.count == self.dies_at and not self.after:
            raise Killed
        seq = await super().store(subject, body, headers, expect=expect, patient=patient)
        self.stored(subject)
        return seq

    def stored(self, subject: str) -> None:
        """What happens once a message is stored."""
        if self.count == self.dies_at:
            raise Killed


def frail(stage: Stage, dies_at: int, after: bool) -> FrailBus:
    """The orchestrator's connection, made frail."""
    bus = FrailBus.__new__(FrailBus)
    bus.__dict__.update(stage.bus.__dict__)
    bus.dies_at, bus.after = dies_at, after
    return bus


@dataclass(frozen=True)
class Result:
    """What must be the same however often a run was killed."""

    status: str
    reason: str
    head: str
    steps: tuple[tuple[str, str, str], ...]
    gates: tuple[str, ...]
    calls: tuple[str, ...]
    effects: tuple[str, ...]
    patch: bytes

    @classmethod
    def of(cls, stage: Stage, state: RunState) -> Result:
        patch = stage.paths.bundles / RUN / "changes.patch"
        return cls(
            status=state.status,
            reason=state.reason,
            head=state.head,
            steps=tuple((step.step, step.status, step.agent) for step in state.steps),
            gates=tuple(gate.gate for gate in state.gates),
            calls=tuple(f"{call.server}.{call.tool}" for call in state.calls),
            effects=tuple(stage.crew.effects),
            patch=patch.read_bytes() if patch.exists() else b"",
        )


def prepared(folder: Path) -> Stage:
    """A run of two rounds: the first patch breaks a test and is taken back."""
    stage = make_stage(folder)
    stage.crew.proposals = (proposal(BAD), proposal(GOOD))
    return stage


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_event_a_resumed_run_ends_the_same(tmp_path: Path, after: bool) -> None:
    """Killed at every stored message in turn and resumed, the run has the same state, and each call ran once."""
    whole = prepared(tmp_path / "whole")
    expected = Result.of(whole, (await whole.run()).state)
    assert expected.status == "handed_over"
    dies_at = 0
    for dies_at in itertools.count(1):
        stage = prepared(tmp_path / str(dies_at))
        steady, stage.bus = stage.bus, frail(stage, dies_at, after)
        try:
            await stage.run()
        except Killed:
            pass
        else:
            break
        stage.bus = steady
        if dies_at == 1 and not after:
            with pytest.raises(UnknownRun):
                await stage.conductor().resume(RUN)
            continue
        outcome = await stage.conductor().resume(RUN)
        assert Result.of(stage, outcome.state) == expected, f"killed at stored message {dies_at}"
        assert set(stage.checkout.delivered) == {outcome.state.head}
    assert dies_at > 60


async def test_killed_again_and_again_a_run_still_ends_the_same(tmp_path: Path) -> None:
    """A run that is killed after every third stored message gets to the same end."""
    whole = prepared(tmp_path / "whole")
    expected = Result.of(whole, (await whole.run()).state)
    stage = prepared(tmp_path / "killed")
    steady, stage.bus = stage.bus, frail(stage, 3, True)
    with pytest.raises(Killed):
        await stage.run()
    state = await state_of(steady, RUN)
    for _ in range(100):
        if state.ended:
            break
        stage.bus = steady
        stage.bus = frail(stage, 3, True)
        with suppress(Killed):
            await stage.conductor().resume(RUN)
        state = await state_of(steady, RUN)
    assert Result.of(stage, state) == expected
    assert state.metrics.resumes > 20


async def test_a_cancelled_run_can_be_resumed(stage: Stage) -> None:
    """Cancellation at a gate (Ctrl-C) leaves the run where it is."""
    desk = PatientDesk()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.run, PLAN, desk)
        await desk.asked.wait()
        tasks.cancel_scope.cancel()
    assert (await state_of(stage.bus, RUN)).status == "waiting"
    outcome = await stage.conductor().resume(RUN, AUTO_ALL)
    assert outcome.exit_code == 0


async def test_of_two_orchestrators_only_one_advances_a_run(stage: Stage) -> None:
    """Two that resume the same run: the later one has it; the other stops with a clear error at its next write."""
    desk = PatientDesk()
    errors: list[str] = []

    async def first() -> None:
        try:
            await stage.run(PLAN, desk)
        except TakenOver as error:
            errors.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await desk.asked.wait()
        second = await stage.conductor().resume(RUN)
        assert second.waiting is not None
        await stage.bus.store(f"gate.{RUN}.plan.decision", approve(second.waiting).canonical())
    assert len(errors) == 1
    assert "another orchestrator took over" in errors[0]
    assert (await stage.conductor().resume(RUN)).exit_code == 0


async def test_racing_orchestrators_make_no_call_twice(stage: Stage) -> None:
    """Five that resume one run at the same time end it once; every call has run once."""
    await stage.run(PLAN)
    ended: list[Outcome] = []
    lost: list[TakenOver] = []

    async def race() -> None:
        try:
            ended.append(await stage.conductor().resume(RUN, AUTO_ALL))
        except TakenOver as error:
            lost.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(race)
    assert {outcome.exit_code for outcome in ended} == {0}
    assert len(ended) + len(lost) == 5
    assert len(stage.crew.effects) == 12
    assert len(await events_of(stage.bus, RUN)) == ended[0].state.events


async def test_two_runs_of_one_name_cannot_both_start(stage: Stage) -> None:
    """The first event of a run must be the first."""
    await stage.run()
    with pytest.raises(TakenOver):
        await stage.run()


async def test_a_write_whose_acknowledgement_was_lost_is_recognised(stage: Stage) -> None:
    """An event that got through without an acknowledgement is not written again, and nobody was overtaken."""

    class Forgetful(FrailBus):
        def stored(self, subject: str) -> None:
            if self.count % 2 and subject.startswith("run."):
                raise BusUnavailable("no acknowledgement")

    steady = stage.bus
    stage.bus = Forgetful.__new__(Forgetful)
    stage.bus.__dict__.update(steady.__dict__)
    assert (await stage.run()).exit_code == 0
    numbers = [event.n for event in await events_of(steady, RUN)]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_foreign_message_among_the_events_is_passed_over(stage: Stage) -> None:
    """What a member of the crew had stored there neither counts as an event nor stops the run."""
    await stage.run(PLAN)
    forger = stage.broker.connect("code_writer")
    events = await events_of(stage.bus, RUN)
    forged = events[-1].model_copy(update={"n": len(events) + 1, "what": RunResumedEvent(by="me")})
    await forger.store(f"run.{RUN}.resumed", forged.model_dump_json().encode())
    await forger.store(f"run.{RUN}.resumed", b'{"stream":"LEDGER_runs","seq":3}')
    assert await events_of(stage.bus, RUN) == events
    assert (await stage.conductor().resume(RUN, AUTO_ALL)).exit_code == 0


async def test_a_missing_event_is_said_and_not_read_over(stage: Stage) -> None:
    """A gap in a run's events is an error that names the place; other runs are listed all the same."""
    await stage.run()
    other = TASK.model_copy(update={"run": "r-other"})
    await stage.conductor().start(other, WORKFLOW, PLAN)
    kept = stage.broker.streams["LEDGER_runs"]
    fourth = [each for each in kept if each.subject.startswith(f"run.{RUN}.")][3]
    kept.remove(fourth)
    with pytest.raises(Torn, match="expected its event 4, found 5"):
        await stage.conductor().resume(RUN)
    listing = await list_runs(stage.bus)
    assert [state.run for state in listing.runs] == ["r-other"]
    (torn,) = listing.torn
    assert isinstance(torn, Torn)
    assert torn.run == RUN


async def test_runs_are_listed_newest_first(stage: Stage) -> None:
    """Every run's state, folded from its events."""
    for name in ("r-aaaa", "r-bbbb"):
        await stage.conductor().start(TASK.model_copy(update={"run": name}), WORKFLOW, PLAN)
    assert [state.run for state in (await list_runs(stage.bus)).runs] == ["r-bbbb", "r-aaaa"]


async def test_code_that_asks_for_something_else_than_is_recorded_diverges(stage: Stage) -> None:
    """A journal written with another budget is not gone on with: the error names the step and both digests."""
    await stage.run(AUTO_ALL.model_copy(update={"handoff": PLAN.plan}))
    event = (await events_of(stage.bus, RUN))[0]
    assert isinstance(event.what, RunStartedEvent)
    changed = WORKFLOW.model_copy(
        update={"budgets": WORKFLOW.budgets.model_copy(update={"test_timeout_s": 7}), "fix_rounds": 2}
    )
    started = event.model_copy(update={"what": event.what.model_copy(update={"workflow": changed})})
    await rewritten(stage, started)
    with pytest.raises(Diverged) as caught:
        await stage.conductor().resume(RUN)
    assert caught.value.step == "reproduce/tests"
    assert caught.value.recorded != caught.value.asked


async def rewritten(stage: Stage, first: Event) -> None:
    """The same ledger with another first event."""
    old = stage.broker.streams.pop("LEDGER_runs")
    for kept in old:
        body = first.model_dump_json().encode() if kept.subject == f"run.{RUN}.started" else kept.body
        await stage.bus.store(kept.subject, body)


async def test_an_answer_that_changed_in_the_ledger_diverges(stage: Stage) -> None:
    """The journal holds each answer's digest; another answer under the same call id is refused."""
    outcome = await stage.run(PLAN)
    call = outcome.state.calls[2]
    assert call.tool == "run"
    answer = stage.crew.answers[call.call_id]
    assert isinstance(answer, RunResult)
    stage.crew.answers[call.call_id] = answer.model_copy(update={"duration_s": 99.0})
    with pytest.raises(Diverged, match="in the ledger"):
        await stage.conductor().resume(RUN)


async def test_an_ended_run_stays_as_it_is(stage: Stage) -> None:
    """Resuming or aborting a run that has ended changes nothing."""
    first = await stage.run()
    assert (await stage.conductor().resume(RUN)).state == first.state
    assert (await stage.conductor().abort(RUN, by="ann")).state == first.state


async def test_aborting_ends_a_run_and_whoever_works_on_it(stage: Stage) -> None:
    """Abort cleans up, wakes the orchestrator that waits at a gate, and leaves both with exit code 4."""
    desk = PatientDesk()
    outcomes: list[Outcome] = []

    async def first() -> None:
        outcomes.append(await stage.run(PLAN, desk))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await desk.asked.wait()
        outcomes.append(await stage.conductor().abort(RUN, by="ann", reason="enough"))
    assert [outcome.exit_code for outcome in outcomes] == [4, 4]
    assert outcomes[0].state.reason == "enough"
    assert stage.crew.effects[-1] == "workspace.close"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_event_an_aborted_run_leaves_no_branch(tmp_path: Path, after: bool) -> None:
    """Also where it had been delivered, and where that was about to be written down."""
    delivered = set[str]()
    for dies_at in itertools.count(2):
        stage = make_stage(tmp_path / str(dies_at))
        steady, stage.bus = stage.bus, frail(stage, dies_at, after)
        with suppress(Killed):
            await stage.run()
            break
        stage.bus = steady
        delivered.update(stage.checkout.delivered)
        state = (await stage.conductor().abort(RUN, by="ann")).state
        assert stage.checkout.delivered == ([state.head] if state.status == "handed_over" else []), dies_at
    assert delivered


async def test_a_branch_delivered_while_the_run_is_aborted_is_taken_back(stage: Stage) -> None:
    """Whoever delivered it finds out when they would write it down."""

    class Slow(ScriptedCheckout):
        delivering, go = anyio.Event(), anyio.Event()

        async def deliver(self, task: Task, bundle_file: Path, base: str, head: str) -> Delivered:
            self.delivering.set()
            await self.go.wait()
            return await super().deliver(task, bundle_file, base, head)

    stage.checkout = slow = Slow()
    outcomes: list[Outcome] = []

    async def first() -> None:
        outcomes.append(await stage.run())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await slow.delivering.wait()
        outcomes.append(await stage.conductor().abort(RUN, by="ann"))
        slow.go.set()
    assert [outcome.state.status for outcome in outcomes] == ["aborted", "aborted"]
    assert slow.delivered == []


async def test_resuming_or_aborting_what_does_not_exist_says_so(stage: Stage) -> None:
    """An unknown run is an error with a way out."""
    with pytest.raises(UnknownRun, match="podium runs"):
        await stage.conductor().resume("r-nope")
    with pytest.raises(UnknownRun):
        await stage.conductor().abort("r-nope", by="ann")


async def test_an_observer_of_a_resumed_run_sees_every_event_from_the_first(stage: Stage) -> None:
    """Old events come first, so that a view can fold them."""
    await stage.run(PLAN)
    stage.watcher.events.clear()
    outcome = await stage.conductor().resume(RUN, AUTO_ALL)
    assert fold(stage.watcher.events) == outcome.state
