"""The audit is read record by record, and says the same as if all had been held."""

from __future__ import annotations

import os
import signal
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.caller import new_call_id, open_caller
from bus.memory import MemoryBus
from contracts.ledger import AuditRecord, CallRecord
from orchestrator.auditing import calls as calls_module
from orchestrator.auditing import reading
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.reading import Tally, last, records
from orchestrator.exchanges import exchanges, record_of
from tests.audit.messages import CALLERS, Scribe
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import nats_rig

NUMBERS, ALONE = st.integers(0, 5), st.booleans()
WHO = st.sampled_from(CALLERS)
SEALED_BY = st.sampled_from(["echo", "echo", "other", ""])
ENDED = st.sampled_from(["ok", "denied", "failed"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), NUMBERS, WHO, st.sampled_from(["", "meddler", None]), ALONE),
        st.tuples(st.just("result"), NUMBERS, WHO, SEALED_BY, ENDED, ALONE),
        st.tuples(st.just("copy"), st.integers(0, 30)),
    ),
    max_size=30,
)


def written(steps: list[Any]) -> Scribe:
    """Callers and the server do as `bus.caller` and `bus.serving` do; whoever forges does what they like."""
    scribe, called = Scribe(), set[tuple[int, str]]()
    for kind, *rest in steps:
        match kind:
            case "call":
                n, caller, by, alone = rest
                scribe.call(n, caller=caller, by=by, alone=alone or by in (None, caller))
                called.add((n, caller))
            case "result":
                n, caller, by, outcome, alone = rest
                if by != "echo" or (n, caller) in called:
                    scribe.result(n, caller=caller, by=by, outcome=outcome, alone=alone and by == "echo")
            case _:
                scribe.copy(*rest)
    return scribe


async def taken(bus: MemoryBus, wanted: Filter, *, check: bool = True) -> tuple[list[CallRecord], int]:
    tally = Tally()
    found = [each async for each in records(bus, ["echo"], wanted, tally, check=check)]
    return [each for each in found if isinstance(each, CallRecord)], tally.foreign


@settings(max_examples=60, deadline=None)
@given(STEPS, st.sampled_from([1, 2, 1000]))
def test_read_in_passing_it_is_what_it_is_held_whole(steps: list[Any], held: int) -> None:
    """Whoever stored what, forged or twice: the same calls, in order, and as many foreign messages."""

    async def both() -> None:
        bus = written(steps).broker.connect("auditor")
        whole, foreign = await exchanges(bus, ["echo"])
        expected = sorted(map(record_of, whole), key=lambda record: record.seq)
        assert await taken(bus, Filter()) == (expected, len(foreign))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls_module, "HELD", held)
        anyio.run(both)


@settings(max_examples=60, deadline=None)
@given(
    STEPS,
    st.builds(
        Filter,
        run=st.sampled_from(["", "r-run0"]),
        agent=st.sampled_from(["", *CALLERS, "echo", "nobody"]),
        tool=st.sampled_from(["", "say", "s*", "echo.say", "oth*.say"]),
        outcomes=st.frozensets(st.sampled_from(["ok", "denied", "failed", "open", "timeout"]), max_size=2),
        text=st.sampled_from(["", "number 1", "answer 2"]),
    ),
)
def test_a_filter_finds_what_is_found_by_looking_at_everything(steps: list[Any], wanted: Filter) -> None:
    """What the broker is not asked for is not missed; nor what nobody sealed, whatever run it says it is of."""

    async def both() -> None:
        scribe = written(steps)
        bus = scribe.broker.connect("auditor")
        bodies = {kept.seq: kept.body for kept in scribe.stream}
        whole, _ = await exchanges(bus, ["echo"])
        expected = [
            record
            for each in sorted(whole, key=lambda each: each.call.seq)
            for record in [record_of(each)]
            if wanted.takes(
                record.model_copy(update={} if record.sealed else {"run": wanted.run}),
                bodies[record.seq],
                *([each.result.body] if each.result else []),
            )
        ]
        assert (await taken(bus, wanted))[0] == expected

    anyio.run(both)


async def test_a_call_that_takes_long_does_not_have_all_others_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is looked up, and it keeps its place."""
    monkeypatch.setattr(calls_module, "HELD", 4)
    scribe = Scribe()
    scribe.call(0)
    for n in range(1, 40):
        scribe.call(n)
        scribe.result(n)
    scribe.result(0)
    reader = calls_module.Calls(
        scribe.broker.connect("auditor"), "echo", Filter(), reading.Seals(scribe.broker.connect("auditor"))
    )
    read_so_far, found = 0, list[str]()
    async with aclosing(reader.read()) as given_:
        async for record in given_:
            read_so_far = read_so_far or reader.after
            found.append(record.call_id)
    assert (found, reader.foreign) == ([f"c{n}" for n in range(40)], 0)
    assert read_so_far <= 12, "the first are given before the rest is read"


async def test_two_tools_under_one_id_keep_nothing_from_being_listed() -> None:
    """The answer is that of the call that came first; the other one stays open."""
    scribe = Scribe()
    scribe.call(0)
    scribe.call(0, tool="shout")
    scribe.result(0)
    scribe.call(1)
    scribe.result(1)
    bus = scribe.broker.connect("auditor")
    found, foreign = await taken(bus, Filter())
    assert [(each.tool, each.outcome) for each in found] == [("say", "ok"), ("shout", "open"), ("say", "ok")]
    whole, _ = await exchanges(bus, ["echo"])
    assert (found, foreign) == (sorted(map(record_of, whole), key=lambda record: record.seq), 0)


async def test_of_the_last_records_only_the_end_is_read() -> None:
    """And all of it where they lie far back."""
    scribe = Scribe()
    scribe.call(0)
    scribe.result(0, outcome="denied")
    for n in range(1, 200):
        scribe.call(n)
        scribe.result(n)
    bus = scribe.broker.connect("auditor")

    async def ids(wanted: Filter, number: int) -> list[str]:
        found = await last(bus, ["echo"], wanted, number)
        return [each.call_id for each in found if isinstance(each, CallRecord)]

    assert await ids(Filter(), 3) == ["c197", "c198", "c199"]
    assert await ids(Filter(outcomes=frozenset({"denied"})), 3) == ["c0"]


async def test_times_are_asked_of_the_broker(tmp_path: Path) -> None:
    """From a moment on, and up to one, the answer to the last call included."""
    async with nats_rig(tmp_path) as rig, rig.connect("echo") as server, rig.connect("orchestrator") as bus:
        async with open_caller(bus) as caller, served(server, Echo()):
            ids = [new_call_id() for _ in range(4)]
            for call_id in ids:
                await caller.call("echo", "say", EchoParams(text="x"), EchoResult, call_id=call_id)
        everything = [each async for each in records(bus, ["echo"], Filter(kinds=frozenset({"call"})), Tally())]
        wanted = Filter(since=everything[1].at, until=everything[2].at)
        found = [each async for each in records(bus, ["echo"], wanted, Tally())]
        later = [kept async for kept in bus.history("LEDGER_echo", "call.>", since=everything[3].at)]
    assert [each.call_id for each in found if isinstance(each, CallRecord)] == ids[1:3]
    assert [each.outcome for each in found] == ["ok", "ok"]
    assert [kept.subject.rpartition(".")[2] for kept in later] == ids[3:]


async def test_what_is_followed_goes_on_when_the_broker_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls from before are not told, each later one once, when it is answered."""

    async def echo(_: object) -> tuple[str, ...]:
        return ("echo",)

    monkeypatch.setattr(reading, "everybody", echo)
    monkeypatch.setattr(reading, "_LOOK_AGAIN_S", 0.05)
    send, receive = anyio.create_memory_object_stream[AuditRecord](100)
    async with nats_rig(tmp_path) as rig, rig.connect("echo") as server, rig.connect("orchestrator") as bus:
        async with open_caller(bus) as caller, served(server, Echo()), send, receive:

            async def say() -> str:
                call_id = new_call_id()
                await caller.call("echo", "say", EchoParams(text="x"), EchoResult, call_id=call_id)
                return call_id

            async def watch() -> None:
                async with aclosing(reading.follow(bus, Filter())) as found:
                    async for record in found:
                        await send.send(record)

            async def told() -> str:
                with anyio.fail_after(60):
                    record = await receive.receive()
                assert isinstance(record, CallRecord)
                return record.call_id

            before, mine, heard = await say(), "", list[str]()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch)
                with anyio.fail_after(60):
                    while not receive.statistics().current_buffer_used:  # until it has begun to look
                        mine = await say()
                heard.append(await told())
                os.kill(rig.broker.pid, signal.SIGKILL)
                rig.broker.start()
                after = await say()
                while heard[-1] != after:
                    heard.append(await told())
                tasks.cancel_scope.cancel()
    assert before not in heard
    assert mine in heard
    assert len(set(heard)) == len(heard)
