"""What a bus promises, on the in-memory double and on a real broker alike."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from bus.bus import ABSENT, Delivery, Expect, Message
from bus.errors import AlreadyStored, BusUnavailable, Overtaken
from bus.grants import SERVE
from bus.subjects import CallSubject
from contracts.ledger import RUNS_STREAM, server_stream
from tests.bus.rigs import Rig

CALL = CallSubject("echo", "say", "orchestrator", "0" * 32)


async def test_what_is_stored_is_read_back_in_order(rig: Rig) -> None:
    """History has every message that matches, oldest first, each with its body."""
    async with rig.connect("orchestrator") as bus:
        for number in range(5):
            await bus.store(f"run.r-aaaa.e{number}", str(number).encode())
        await bus.store("run.r-bbbb.e", b"another run")
        found = [kept async for kept in bus.history(RUNS_STREAM, "run.r-aaaa.>")]
        assert [kept.body for kept in found] == [b"0", b"1", b"2", b"3", b"4"]
        assert [kept.seq for kept in found] == sorted(kept.seq for kept in found)
        later = [kept.body async for kept in bus.history(RUNS_STREAM, "run.r-aaaa.>", after=found[2].seq)]
        assert later == [b"3", b"4"]
        since = [kept.body async for kept in bus.history(RUNS_STREAM, "run.r-aaaa.>", since=found[3].stored_at)]
        assert since == [b"3", b"4"]
        later = found[-1].stored_at + timedelta(days=1)
        assert [kept async for kept in bus.history(RUNS_STREAM, "run.r-aaaa.>", since=later)] == []
        assert [kept async for kept in bus.history(RUNS_STREAM, "run.r-zzzz.>")] == []


async def test_history_is_whole_beyond_one_batch(rig: Rig) -> None:
    """More messages than are read at once are all there."""
    async with rig.connect("orchestrator") as bus:
        for number in range(600):
            await bus.store("run.r-aaaa.e", str(number).encode())
        found = [int(kept.body) async for kept in bus.history(RUNS_STREAM, "run.r-aaaa.>")]
        assert found == list(range(600))


async def test_history_is_whole_beyond_what_is_read_at_once(rig: Rig) -> None:
    """A batch that ends because it is large is not taken for the end: an audit would miss the rest without a word."""
    async with rig.connect("orchestrator") as bus:
        for number in range(80):
            await bus.store("run.r-aaaa.e", b"%02d" % number + b"x" * (900 << 10))
            await bus.store("run.r-bbbb.e", b"another run")
        found = [int(kept.body[:2]) async for kept in bus.history(RUNS_STREAM, "run.r-aaaa.>")]
        assert found == list(range(80))


async def test_the_first_on_a_subject_wins(rig: Rig) -> None:
    """A second message where none may stand is refused and not kept."""
    async with rig.connect("orchestrator") as bus:
        await bus.store("gate.r-aaaa.plan.decision", b"first", expect=ABSENT)
        with pytest.raises(AlreadyStored):
            await bus.store("gate.r-aaaa.plan.decision", b"second", expect=ABSENT)
        kept = await bus.last(RUNS_STREAM, "gate.r-aaaa.plan.decision")
        assert kept is not None
        assert kept.body == b"first"


async def test_a_writer_that_was_overtaken_is_told(rig: Rig) -> None:
    """Two orchestrators on one run: the one that did not see the other's event cannot write."""
    async with rig.connect("orchestrator") as bus:
        mine = await bus.store("run.r-aaaa.begun", b"", expect=Expect(0, "run.r-aaaa.>"))
        await bus.store("run.r-bbbb.begun", b"", expect=Expect(0, "run.r-bbbb.>"))
        await bus.store("run.r-aaaa.next", b"", expect=Expect(mine, "run.r-aaaa.>"))
        with pytest.raises(Overtaken):
            await bus.store("run.r-aaaa.other", b"", expect=Expect(mine, "run.r-aaaa.>"))


async def test_nothing_there_is_none(rig: Rig) -> None:
    """Asking for a message that is not kept is not an error."""
    async with rig.connect("orchestrator") as bus:
        assert await bus.last(RUNS_STREAM, "run.r-aaaa.nothing") is None


async def test_a_delivery_that_was_not_acknowledged_comes_again(rig: Rig) -> None:
    """A consumer that dies before its acknowledgement is given the message once more; then never again."""
    got: list[Delivery] = []
    async with rig.connect("echo") as server, rig.connect("orchestrator") as caller:

        async def take(count: int, *, ack: bool) -> None:
            enough = anyio.Event()

            async def on_delivery(delivery: Delivery) -> None:
                got.append(delivery)
                if ack:
                    await delivery.ack()
                if len(got) >= count:
                    enough.set()

            async with server.consume(server_stream("echo"), SERVE, on_delivery):
                await enough.wait()

        await caller.store(str(CALL), b"please", expect=ABSENT)
        await take(1, ack=False)
        await take(2, ack=True)
        assert [delivery.message.body for delivery in got] == [b"please", b"please"]
        assert [delivery.attempt for delivery in got] == [1, 2]


async def test_a_question_gets_an_answer_or_a_clear_error(rig: Rig) -> None:
    """Request and reply; nobody there is `BusUnavailable`, which says that a retry may help."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as caller:

        async def on_message(message: Message) -> None:
            await server.publish(message.reply, b"re: " + message.body)

        async with server.listen("rpc.echo.>", on_message):
            answer = await caller.request("rpc.echo.tools.list.orchestrator", b"hello")
            assert answer.body == b"re: hello"
        with pytest.raises(BusUnavailable) as caught:
            await caller.request("rpc.echo.tools.list.orchestrator", b"hello", timeout_s=0.2)
        assert caught.value.retry


async def test_keys_come_and_go(rig: Rig) -> None:
    """A bucket holds the newest value of each key until it is deleted."""
    async with rig.connect("echo") as bus:
        await bus.put("agents", "echo.1", b"old")
        await bus.put("agents", "echo.1", b"new")
        await bus.put("agents", "echo.2", b"two")

        async def found() -> dict[str, bytes]:
            return {key: kept.body for key, kept in (await bus.entries("agents")).items()}

        assert await found() == {"echo.1": b"new", "echo.2": b"two"}
        await bus.delete("agents", "echo.2")
        assert await found() == {"echo.1": b"new"}
