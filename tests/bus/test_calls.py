"""Durable calls end to end: caller, ledger, server — over memory and over a real broker."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, cast

import anyio
import pytest

from bus import caller as calls
from bus.bus import ABSENT, Bus, Delivery, Message, OnDelivery, OnMessage
from bus.caller import Caller, new_call_id, open_caller
from bus.envelope import MAC, SEAL
from bus.errors import AlreadyStored, CallFailed, ServerGone, StoreFull
from bus.registry import cards
from bus.subjects import CallSubject
from bus.wire import INVALID_REQUEST, Correlation, call_request, failure_of, parse, result_of
from contracts.ledger import AGENTS_BUCKET, server_stream
from contracts.manifest import tools_digest
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig, Rig


async def say(caller: Caller, text: str, call_id: str, tool: str = "say") -> EchoResult:
    return await caller.call("echo", tool, EchoParams(text=text), EchoResult, call_id=call_id)


async def test_a_call_is_answered_and_both_are_kept(rig: Rig) -> None:
    """The result arrives typed; call and result stand in the server's stream, signed."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            call_id = new_call_id()
            result = await say(caller, "hello ⚑", call_id)
            assert result == EchoResult(text="hello ⚑", caller="orchestrator", executions=1)
            kept = [one.subject async for one in bus.history(server_stream("echo"))]
            call = CallSubject("echo", "say", "orchestrator", call_id)
            assert kept == [str(call), call.result]


async def test_the_same_call_id_takes_effect_once(rig: Rig) -> None:
    """Asking again with the same id gives the stored answer and executes nothing."""
    echo = Echo()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus:
        async with served(server, echo):
            call_id = new_call_id()
            async with open_caller(bus) as caller:
                first = await say(caller, "once", call_id)
            async with open_caller(bus) as restarted:
                assert await say(restarted, "once", call_id) == first
        assert echo.executed == [call_id]


async def test_a_call_made_while_the_server_is_away_waits_for_it(rig: Rig) -> None:
    """Nothing is lost: what was stored is delivered when the server comes."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        results: list[EchoResult] = []
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                results.append(await say(caller, "early", new_call_id()))

            tasks.start_soon(ask)
            async with served(server, Echo()):
                with anyio.fail_after(20):
                    while not results:
                        await anyio.lowlevel.checkpoint()
        assert results[0].text == "early"


async def test_a_call_whose_server_stays_away_is_given_up_and_found_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits is told, and made again under its id it has one effect and the one answer."""
    monkeypatch.setattr(calls, "PATIENCE_S", 0.1)
    monkeypatch.setattr(calls, "FIRST_SILENCE_S", 0.01)
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        say = partial(caller.call, "echo", "say", EchoParams(text="hi"), EchoResult, call_id=new_call_id())
        with pytest.raises(ServerGone, match="echo"):
            await say()
        async with rig.connect("echo") as server, served(server, Echo()):
            assert (await say()).executions == 1


async def test_where_no_heartbeat_is_taken_any_more_no_answer_is_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is never said by the broker: the registry shows a server that it could not have kept for so long."""
    monkeypatch.setattr(calls, "STUCK_S", 0.1)
    monkeypatch.setattr(calls, "FIRST_SILENCE_S", 0.01)
    async with rig.connect("orchestrator") as bus, rig.connect("echo") as server, open_caller(bus) as caller:
        say = partial(caller.call, "echo", "say", EchoParams(text="hi"), EchoResult, call_id=new_call_id())
        await server.put(AGENTS_BUCKET, "echo.1", b"{}")
        with pytest.raises(StoreFull, match="no heartbeat of echo"):
            await say()


async def test_a_server_that_dies_at_work_is_given_the_call_again(rig: Rig) -> None:
    """The first server is cancelled in mid-call; the second answers the same call."""
    first, second = Echo(), Echo()
    second.released.set()
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        results: list[EchoResult] = []
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                results.append(await say(caller, "again", new_call_id(), "wait"))

            tasks.start_soon(ask)
            async with rig.connect("echo") as server, served(server, first):
                await first.started.wait()
            async with rig.connect("echo") as server, served(server, second):
                with anyio.fail_after(30):
                    await second.started.wait()
                    while not results:
                        await anyio.lowlevel.checkpoint()
        assert results[0].executions == 1
        assert first.executed == []


async def test_of_many_calls_at_once_each_gets_its_own_answer(rig: Rig) -> None:
    """Calls that leave in company are answered apart, and one that is given up takes no other with it."""
    answers: dict[int, str] = {}
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:

        async def ask(number: int) -> None:
            with anyio.CancelScope() as scope:
                if number % 5 == 0:
                    scope.cancel()
                answers[number] = (await say(caller, str(number), new_call_id())).text

        async with served(server, Echo()):
            await say(caller, "first", new_call_id())
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    for number in range(100):
                        tasks.start_soon(ask, number)
    assert answers == {number: str(number) for number in range(100) if number % 5}


async def test_a_failure_is_an_answer_with_a_way_out(rig: Rig) -> None:
    """What a specialist raises reaches the caller as the same failure; a defect is called one."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            with pytest.raises(CallFailed) as refused:
                await say(caller, "that", new_call_id(), "refuse")
            assert (refused.value.failure.kind, refused.value.retry) == ("conflict", True)
            assert refused.value.failure.way_out == "Ask again."
            with pytest.raises(CallFailed) as crashed:
                await say(caller, "boom", new_call_id(), "crash")
            assert crashed.value.failure.kind == "internal"
            with pytest.raises(CallFailed) as missing:
                await say(caller, "x", new_call_id(), "nothing")
            assert missing.value.failure.kind == "not_found"


async def test_progress_reaches_the_caller_in_order(rig: Rig) -> None:
    """Each step, with total and words, before the result."""
    heard: list[tuple[float, float | None, str]] = []

    async def on_progress(done: float, total: float | None, message: str) -> None:
        heard.append((done, total, message))

    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            await caller.call(
                "echo", "count", EchoParams(text=""), EchoResult, call_id=new_call_id(), on_progress=on_progress
            )
    assert heard == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]


class ResultsFirst:
    """A bus where the two subscriptions of a call are read in the other order: what is told comes last."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._held: list[Message] = []
        self._tell: OnMessage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def listen(self, subject: str, on_message: OnMessage, *, queue: str = "") -> AbstractAsyncContextManager[None]:
        """Progress is held back."""
        if not subject.startswith("progress."):
            return self._bus.listen(subject, on_message, queue=queue)

        async def hold(message: Message) -> None:
            self._held.append(message)

        self._tell = on_message
        return self._bus.listen(subject, hold, queue=queue)

    def consume(self, stream: str, consumer: str, on_delivery: OnDelivery) -> AbstractAsyncContextManager[None]:
        """Each result lets go of it."""

        async def deliver(delivery: Delivery) -> None:
            await on_delivery(delivery)
            while self._held:
                await self._tell(self._held.pop(0))

        return self._bus.consume(stream, consumer, deliver)


async def test_progress_that_is_read_after_the_result_is_told_before_it(rig: Rig) -> None:
    """Both have arrived; which of two subscriptions is read first says nothing."""
    heard: list[str] = []

    async def on_progress(done: float, total: float | None, message: str) -> None:
        heard.append(message)

    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, served(server, Echo()):
        async with open_caller(cast(Bus, ResultsFirst(bus))) as caller:
            await caller.call(
                "echo", "count", EchoParams(text=""), EchoResult, call_id=new_call_id(), on_progress=on_progress
            )
            assert heard == ["at 1", "at 2", "at 3"]


async def test_who_was_not_granted_a_tool_is_refused_on_the_record(rig: Rig) -> None:
    """The check inside the process refuses, executes nothing, and the refusal is stored."""
    echo = Echo()

    async def only_say(caller: str, tool: str) -> bool:
        return tool == "say"

    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo, only_say):
            call_id = new_call_id()
            with pytest.raises(CallFailed) as denied:
                await say(caller, "x", call_id, "count")
            assert denied.value.failure.kind == "denied"
            kept = await bus.last(server_stream("echo"), CallSubject("echo", "count", "orchestrator", call_id).result)
            assert kept is not None
    assert echo.executed == []


async def test_a_body_that_contradicts_its_subject_is_refused(rig: Rig) -> None:
    """HeaderMismatch (-32020): the subject says one tool, the body another; nothing is executed."""
    echo = Echo()
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo):
            body = call_request(subject.call_id, "count", EchoParams(text="x"), Correlation())
            answer = parse("answer", await caller.exchange(subject, body))
    assert answer["error"]["code"] == -32020
    assert echo.executed == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","id":1}'])
async def test_garbage_on_a_call_subject_is_answered_not_executed(rig: Rig, body: bytes) -> None:
    """Every stored call ends in a stored answer, whatever its bytes are."""
    echo = Echo()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo):
            subject = CallSubject("echo", "say", "orchestrator", new_call_id())
            answer = await caller.exchange(subject, body)
            assert failure_of(parse("answer", answer)) is not None
    assert echo.executed == []


async def test_a_call_sealed_by_somebody_else_is_refused(rig: Rig) -> None:
    """A message that stands under the orchestrator's name but was sealed by another is not executed.

    On the real broker permissions stop it before; here the operator's rights stand in for the broker's
    known gap (the reply subject of a publish is not checked).
    """
    echo = Echo()
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with rig.connect("echo") as server, rig.connect("operator") as forger, rig.connect("orchestrator") as bus:
        async with served(server, echo), open_caller(bus) as caller:
            forged = call_request(subject.call_id, "say", EchoParams(text="forged"), Correlation())
            await forger.store(str(subject), forged, expect=ABSENT)
            answer = parse("answer", await caller.exchange(subject, forged))
    assert answer["error"]["code"] == -32020
    assert echo.executed == []


@pytest.mark.parametrize("forged_mac", ["0" * 64, "é", ""])
async def test_a_call_with_neither_mac_nor_seal_of_its_caller_is_refused(forged_mac: str, nats: NatsRig) -> None:
    """Who may publish under a name, but has not its key, has nothing executed; and the server lives on."""
    echo = Echo()
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with nats.connect("echo") as server, nats.connect("operator") as forger, nats.connect("orchestrator") as bus:
        async with served(server, echo), open_caller(bus) as caller:
            body = call_request(subject.call_id, "say", EchoParams(text="forged"), Correlation())
            await forger.publish(str(subject), body, {SEAL: "orchestrator now nothing", MAC: forged_mac})
            with anyio.fail_after(30):
                while (kept := await bus.last(server_stream("echo"), subject.result)) is None:
                    await anyio.lowlevel.checkpoint()
            assert parse("answer", kept.body)["error"]["code"] == INVALID_REQUEST
            await say(caller, "mine", mine := new_call_id())  # and what is vouched for still runs
    assert echo.executed == [mine]


async def test_a_call_with_a_seal_alone_is_taken(rig: Rig) -> None:
    """The MAC saves time; a client that does not know it proves itself by its signature."""
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()):
            body = call_request(subject.call_id, "say", EchoParams(text="sealed"), Correlation())
            await bus.store(str(subject), body, expect=ABSENT)
            answer = result_of("echo", "say", await caller.exchange(subject, body), EchoResult)
    assert answer.text == "sealed"


async def test_a_result_sealed_by_somebody_else_is_not_believed(nats: NatsRig) -> None:
    """A forged result blocks the true one, and the caller takes neither: it fails closed, and it is on the record."""
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with nats.connect("operator") as forger, nats.connect("orchestrator") as bus, open_caller(bus) as caller:
        await forger.store(subject.result, b'{"jsonrpc":"2.0","id":1,"result":{}}', expect=ABSENT)
        with anyio.move_on_after(2) as waiting:
            await say(caller, "x", subject.call_id)
        assert waiting.cancelled_caught


async def test_a_call_is_stored_once_however_often_it_is_sent(rig: Rig) -> None:
    """A second store of the same call is refused by the ledger itself."""
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with rig.connect("orchestrator") as bus:
        await bus.store(str(subject), b"{}", expect=ABSENT)
        with pytest.raises(AlreadyStored):
            await bus.store(str(subject), b"{}", expect=ABSENT)


async def test_a_server_is_in_the_registry_as_long_as_it_serves(rig: Rig) -> None:
    """Its card tells tools with schemas; when it leaves, it is gone."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus:
        async with served(server, Echo()):
            (card,) = await cards(bus)
            assert card.manifest.name == "echo"
            assert [spec.name for spec in card.tools] == ["count", "crash", "refuse", "say", "wait"]
            assert card.tools[3].input_schema["properties"] == {"text": {"title": "Text", "type": "string"}}
            assert card.tools_sha256 == tools_digest(card.tools)
            assert card.tools_sha256 != tools_digest(card.tools[1:])
        assert await cards(bus) == ()


async def test_a_server_that_is_killed_leaves_the_registry_by_itself(nats: NatsRig) -> None:
    """Without its heartbeat the entry expires."""
    async with nats.connect("echo") as server, nats.connect("orchestrator") as bus:
        await server.put("agents", "echo.x", b"{}", ttl_s=1)
        assert "echo.x" in await bus.entries("agents")
        with anyio.fail_after(10):
            while "echo.x" in await bus.entries("agents"):
                await anyio.lowlevel.checkpoint()
