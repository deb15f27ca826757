"""Several orchestrators on one run, in any interleaving: one advances it, and nothing happens twice."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import anyio
import anyio.lowlevel
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bus.bus import NO_HEADERS, Bus, Expect, Headers, Stored
from bus.memory import MemoryBus
from contracts.gate import GateRequest
from contracts.run import RunResumedEvent
from orchestrator.errors import TakenOver
from orchestrator.gates import decide, decided, pending
from orchestrator.policies import answer
from orchestrator.run import Conductor, Outcome
from orchestrator.runs import events_of, state_of
from tests.bus.rigs import nats_rig
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_gates import PLAN, approve
from tests.orchestrator.test_resume import Result, prepared

RACERS = 3


class Pausing:
    """A bus that holds the first decision back until it is let go, by which time its sender may hold nothing."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.about_to, self.go = anyio.Event(), anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def store(self, subject: str, body: bytes, headers: Headers = NO_HEADERS, **how: Any) -> int:
        """See `Bus.store`."""
        if subject.endswith(".decision") and not self.go.is_set():
            self.about_to.set()
            await self.go.wait()
        return await self._bus.store(subject, body, headers, **how)


class Dawdling(MemoryBus):
    """A bus that lets others go first, now and then."""

    chance: random.Random

    async def _dawdle(self) -> None:
        for _ in range(self.chance.choice((0, 0, 1, 5, 40))):
            await anyio.lowlevel.checkpoint()

    async def store(
        self,
        subject: str,
        body: bytes,
        headers: Headers = NO_HEADERS,
        *,
        expect: Expect | None = None,
        patient: bool = False,
    ) -> int:
        """See `Bus.store`; the answer may come late, too."""
        await self._dawdle()
        try:
            return await super().store(subject, body, headers, expect=expect, patient=patient)
        finally:
            await self._dawdle()

    async def history(self, stream: str, subject: str = ">", **wanted: Any) -> AsyncGenerator[Stored]:
        """See `Bus.history`."""
        await self._dawdle()
        async for kept in super().history(stream, subject, **wanted):
            yield kept


def dawdling(stage: Stage, seed: int) -> Dawdling:
    """The orchestrator's connection, which takes its time."""
    bus = Dawdling.__new__(Dawdling)
    bus.__dict__.update(stage.bus.__dict__)
    bus.chance = random.Random(seed)
    return bus


async def race(conductors: Sequence[Conductor]) -> tuple[list[Outcome], list[TakenOver]]:
    """All of them resume the run; who got to an end with it, and who was refused."""
    ended, refused = list[Outcome](), list[TakenOver]()

    async def one(conductor: Conductor) -> None:
        try:
            ended.append(await conductor.resume(RUN, AUTO_ALL))
        except TakenOver as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        for conductor in conductors:
            tasks.start_soon(one, conductor)
    return ended, refused


async def check(stage: Stage, bus: Bus, golden: Result, ended: list[Outcome], refused: list[TakenOver]) -> None:
    """One history, every effect once, the undisturbed end."""
    state = await state_of(bus, RUN)
    assert Result.of(stage, state) == golden
    assert len(ended) + len(refused) == RACERS
    assert {outcome.state.status for outcome in ended} == {"handed_over"}
    assert stage.checkout.delivered == [state.head] * len(stage.checkout.delivered)
    numbers = [event.n for event in await events_of(bus, RUN)]
    assert numbers == list(range(1, len(numbers) + 1))


@settings(max_examples=10, deadline=None, phases=(Phase.generate,))
@given(seeds=st.tuples(*[st.integers(0, 2**32)] * RACERS))
def test_in_any_interleaving_a_run_ends_as_if_one_had_conducted_it(seeds: tuple[int, ...]) -> None:
    """Who was overtaken is told by whom; the others find the run where it ended."""

    async def run(folder: Path) -> None:
        whole = prepared(folder / "whole")
        await whole.run(PLAN)
        golden = Result.of(whole, (await whole.conductor().resume(RUN, AUTO_ALL)).state)
        stage = prepared(folder / "raced")
        await stage.run(PLAN)

        ended, refused = await race([replace(stage.conductor(), bus=dawdling(stage, seed)) for seed in seeds])

        await check(stage, stage.bus, golden, ended, refused)
        by = {event.what.by for event in await events_of(stage.bus, RUN) if isinstance(event.what, RunResumedEvent)}
        assert {error.by for error in refused} <= by

    with TemporaryDirectory() as folder:
        anyio.run(run, Path(folder))


async def test_over_a_real_broker_the_same_holds(tmp_path: Path) -> None:
    """Each has a connection of its own; the broker decides who is first."""
    whole = prepared(tmp_path / "whole")
    await whole.run(PLAN)
    golden = Result.of(whole, (await whole.conductor().resume(RUN, AUTO_ALL)).state)
    stage = prepared(tmp_path / "raced")
    async with nats_rig(tmp_path / "broker") as rig, rig.connect("orchestrator") as bus:
        await replace(stage.conductor(), bus=bus).start(TASK, WORKFLOW, PLAN)
        async with rig.connect("orchestrator") as second, rig.connect("orchestrator") as third:
            ended, refused = await race([replace(stage.conductor(), bus=each) for each in (bus, second, third)])
        await check(stage, bus, golden, ended, refused)


async def overtaken_by_a_person(stage: Stage, bus: Bus, other: Bus) -> None:
    """One conductor has a rule, and is stopped on its way to the ledger; another takes over, to ask a person."""
    pausing = Pausing(bus)
    refused, asked = list[TakenOver](), list[GateRequest]()

    async def fenced_out() -> None:
        try:
            await replace(stage.conductor(), bus=cast(Bus, pausing)).start(TASK, WORKFLOW, AUTO_ALL)
        except TakenOver as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fenced_out)
        await pausing.about_to.wait()
        outcome = await replace(stage.conductor(), bus=other).resume(RUN, PLAN)
        asked += [outcome.waiting] if outcome.waiting else []
        pausing.go.set()

    (waits,) = asked
    assert len(refused) == 1
    assert await decided(other, RUN, waits.gate) is None
    await decide(other, waits, approve(waits))
    assert (await replace(stage.conductor(), bus=other).resume(RUN, AUTO_ALL)).state.status == "handed_over"


async def test_a_rule_decides_nothing_for_who_was_overtaken(stage: Stage) -> None:
    """What another asks a person for is not approved behind their back."""
    await overtaken_by_a_person(stage, stage.bus, stage.broker.connect("orchestrator"))


async def test_over_a_real_broker_a_rule_decides_nothing_for_who_was_overtaken(tmp_path: Path) -> None:
    """The broker refuses it in the step in which it would store it."""
    stage = prepared(tmp_path / "raced")
    async with nats_rig(tmp_path / "broker") as rig:
        async with rig.connect("orchestrator") as bus, rig.connect("orchestrator") as other:
            await overtaken_by_a_person(stage, bus, other)


async def test_a_person_who_was_quicker_than_a_rule_is_heard(stage: Stage) -> None:
    """Nobody took over; what stands at the gate is theirs."""
    pausing = Pausing(stage.bus)
    outcomes = list[Outcome]()

    async def conduct() -> None:
        outcomes.append(await replace(stage.conductor(), bus=cast(Bus, pausing)).start(TASK, WORKFLOW, AUTO_ALL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(conduct)
        await pausing.about_to.wait()
        request = await pending(stage.bus, await state_of(stage.bus, RUN))
        assert request is not None
        await decide(stage.broker.connect("person"), request, answer(request, "abort", by="ann", via="command"))
        pausing.go.set()

    assert [outcome.state.status for outcome in outcomes] == ["aborted"]
