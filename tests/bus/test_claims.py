"""Bodies that are too large for a message: kept apart, named by digest, and given back whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import broker, claims
from bus.bus import ABSENT, Bus, Delivery, Expect, Message
from bus.caller import new_call_id, open_caller
from bus.claims import CLAIM, MAX_BODY, MAX_WHOLE, Claim, kept_apart, whole
from bus.errors import AlreadyStored, BusUnavailable, CallFailed, InvalidMessage, Overtaken, StoreRefused, TooLarge
from bus.grants import SERVE
from bus.roster import LiveRoster
from bus.serving import Incoming, Serving
from bus.subjects import CallSubject, chunk, rpc
from bus.wire import INTERNAL_ERROR, INVALID_REQUEST, Correlation, call_request, failure_of, parse, response
from contracts.base import sha256
from contracts.ledger import RUNS_STREAM, object_stream, server_stream
from tests.bus.echo import Echo, EchoParams, EchoResult, everybody, served
from tests.bus.rigs import MemoryRig, NatsRig, Rig, nats_rig

LARGE = MAX_WHOLE * 3 + 17


def text(size: int) -> str:
    """Of which no two parts are the same, so that exchanged chunks do not go unseen."""
    return "".join(f"{number:08d}" for number in range(size // 8 + 1))[:size]


BODY = text(LARGE).encode()


class Shelf:
    """Chunks in a dictionary, as a broker keeps them; counts how many are under way."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.at_once = self.most_at_once = 0

    async def put(self, subject: str, data: bytes) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.lowlevel.checkpoint()
        self.kept.setdefault(subject, data)
        self.at_once -= 1

    async def get(self, subject: str) -> bytes | None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.lowlevel.checkpoint()
        self.at_once -= 1
        return self.kept.get(subject)


@given(st.integers(1, MAX_BODY), st.integers(64 << 10, 8 << 20))
def test_every_byte_has_its_chunk_and_every_chunk_has_bytes(size: int, chunk_bytes: int) -> None:
    """No body has an empty chunk at its end, or too few."""
    places = Claim(sha256="0" * 64, size=size, chunk_bytes=chunk_bytes).chunks("s")
    assert (len(places) - 1) * chunk_bytes < size <= len(places) * chunk_bytes
    assert len(set(places)) == len(places)


async def test_a_body_comes_back_as_it_was_a_few_chunks_at_a_time() -> None:
    """However large it is, four chunks at most are under way."""
    shelf = Shelf()
    body = text(MAX_WHOLE * 9 + 1).encode()
    named, headers = await kept_apart("call.a.b.c.d", body, shelf.put)
    assert len(named) < 200
    assert len(shelf.kept) == 10
    assert all(len(data) <= MAX_WHOLE for data in shelf.kept.values())
    assert await whole(Message("call.a.b.c.d", named, headers), shelf.get) == Message("call.a.b.c.d", body)
    assert shelf.most_at_once == 4


async def test_keeping_a_body_again_after_a_crash_keeps_nothing_twice() -> None:
    """Chunks have their names from the body, so whoever begins again ends with the same ones."""
    shelf, crashed, body = Shelf(), Shelf(), BODY + BODY

    async def crash(subject: str, data: bytes) -> None:
        if len(crashed.kept) == 4:
            raise BusUnavailable("gone")
        await crashed.put(subject, data)

    said = await kept_apart("s", body, shelf.put)
    with pytest.raises(BusUnavailable, match="gone"):
        await kept_apart("s", body, crash)
    assert len(crashed.kept) == 4
    assert await kept_apart("s", body, crashed.put) == said
    assert crashed.kept == shelf.kept


def _cut(chunks: dict[str, bytes], places: list[str]) -> None:
    chunks[places[1]] = chunks[places[1]][:-1]


def _take(chunks: dict[str, bytes], places: list[str]) -> None:
    del chunks[places[2]]


def _exchange(chunks: dict[str, bytes], places: list[str]) -> None:
    chunks[places[0]], chunks[places[1]] = chunks[places[1]], chunks[places[0]]


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_cut, "chunk 2 of 4 .* 983039 bytes"), (_take, "chunk 3 of 4 .* missing"), (_exchange, "has the sha256")],
)
async def test_a_body_that_is_not_what_the_message_names_is_refused(
    damage: Callable[[dict[str, bytes], list[str]], None], said: str
) -> None:
    """A chunk that was cut, lost or exchanged: the error says what is wrong, and no body is given."""
    shelf = Shelf()
    named, headers = await kept_apart("s", BODY, shelf.put)
    damage(shelf.kept, Claim.model_validate_json(named).chunks("s"))
    with pytest.raises(InvalidMessage, match=said):
        await whole(Message("s", named, headers), shelf.get)


@pytest.mark.parametrize("size", [0, MAX_BODY + 1])
async def test_a_claim_for_more_than_can_be_kept_is_refused_before_anything_is_read(size: int) -> None:
    """Nobody makes a reader collect without end."""
    body = b'{"sha256":"%s","size":%d,"chunk_bytes":983040}' % (b"0" * 64, size)
    with pytest.raises(InvalidMessage, match="not a claim"):
        await whole(Message("s", body, {CLAIM: "1"}), Shelf().get)


async def test_a_large_message_is_read_back_whole_and_sealed(rig: Rig) -> None:
    """Whoever reads the ledger sees neither the claim nor its chunks, and the seal is that of the whole body."""
    async with rig.connect("orchestrator") as bus:
        first = await bus.store("run.r-aaaa.begun", BODY, expect=Expect(0, "run.r-aaaa.>"))
        with pytest.raises(Overtaken):
            await bus.store("run.r-aaaa.next", BODY, expect=Expect(first - 1, "run.r-aaaa.>"))
        with pytest.raises(AlreadyStored):
            await bus.store("run.r-aaaa.begun", BODY, expect=ABSENT)
        kept = await bus.last(RUNS_STREAM, "run.r-aaaa.begun")
        found = [each async for each in bus.history(RUNS_STREAM)]
        assert kept is not None
        assert [replace(each, headers={}) for each in found] == [replace(kept, headers={})]
        for each in (kept, *found):
            assert each.body == BODY
            assert CLAIM not in each.headers
            assert await LiveRoster(bus).opened(each.subject, each.body, each.headers) == "orchestrator"


async def test_what_is_delivered_of_a_large_message_is_small_and_known_by_its_seal(rig: Rig) -> None:
    """A recipient knows who sent it before it has read a chunk, and reads when it will."""
    got: list[Message] = []
    async with rig.connect("echo") as server, rig.connect("orchestrator") as caller:
        arrived = anyio.Event()

        async def on_delivery(delivery: Delivery) -> None:
            got.append(delivery.message)
            await delivery.ack()
            arrived.set()

        async with server.consume(server_stream("echo"), SERVE, on_delivery):
            await caller.store(str(CallSubject("echo", "say", "orchestrator", "0" * 32)), BODY, expect=ABSENT)
            await arrived.wait()
        assert len(got[0].body) < 200
        assert await LiveRoster(server).received(got[0]) == "orchestrator"
        forged = replace(got[0], body=got[0].body.replace(sha256(BODY).encode(), sha256(b"another").encode()))
        with pytest.raises(InvalidMessage, match="did not sign"):
            await LiveRoster(server).received(forged)
        assert (await server.whole(got[0])).body == BODY


async def test_a_large_call_gets_its_large_answer_once(rig: Rig) -> None:
    """And again after a restart of the caller, without another execution."""
    echo, call_id = Echo(), new_call_id()
    params = EchoParams(text=text(LARGE))
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, served(server, echo):
        for _ in range(2):
            async with open_caller(bus) as caller:
                result = await caller.call("echo", "say", params, EchoResult, call_id=call_id)
            assert result == EchoResult(text=params.text, caller="orchestrator", executions=1)
        assert [len(each.body) > LARGE async for each in bus.history(server_stream("echo"))] == [True, True]


async def test_a_broker_with_nats_own_limit_carries_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 MiB with headers: what goes whole fits just as what is kept apart does."""
    monkeypatch.setattr(broker, "MAX_PAYLOAD", 1 << 20)
    async with nats_rig(tmp_path) as rig, rig.connect("orchestrator") as bus:
        for size in (MAX_WHOLE, MAX_WHOLE + 1, LARGE):
            await bus.store("run.r-aaaa.e", b"x" * size)
        assert [len(kept.body) async for kept in bus.history(RUNS_STREAM)] == [MAX_WHOLE, MAX_WHOLE + 1, LARGE]


async def test_a_call_whose_body_was_exchanged_is_answered_and_not_executed() -> None:
    """The refusal is on the record, as of any message that is not what it says."""
    rig, echo = MemoryRig(), Echo()
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        body = call_request(subject.call_id, "say", EchoParams(text=text(LARGE)), Correlation())
        await bus.store(str(subject), body, expect=ABSENT)
        rig.broker.chunks[chunk(str(subject), sha256(body), 1)] = b"y" * MAX_WHOLE
        async with served(server, echo):
            answer = parse("", await caller.exchange(subject, body))
    assert answer["error"]["code"] == INVALID_REQUEST
    assert "sha256" in answer["error"]["message"]
    assert echo.executed == []


async def test_an_answer_that_is_lost_fails_its_call() -> None:
    """No other answer will come, so its caller is told instead of waiting for one."""
    rig, call_id = MemoryRig(), new_call_id()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, served(server, Echo()):
        for again in (False, True):
            if again:
                rig.broker.chunks = {at: data for at, data in rig.broker.chunks.items() if ".result." not in at}
            async with open_caller(bus) as caller:
                asked = caller.call("echo", "say", EchoParams(text=text(LARGE)), EchoResult, call_id=call_id)
                if not again:
                    await asked
                    continue
                with pytest.raises(CallFailed, match="chunk 1 of 4 of its body is missing"):
                    await asked


async def test_a_body_that_cannot_be_had_is_as_if_nobody_had_sealed_it() -> None:
    """The rest of the ledger is read all the same."""
    rig = MemoryRig()
    async with rig.connect("orchestrator") as bus:
        await bus.store("run.r-aaaa.a", BODY)
        await bus.store("run.r-aaaa.b", b"{}")
        rig.broker.chunks.clear()
        lost, other = [each async for each in bus.history(RUNS_STREAM)]
        assert other.body == b"{}"
        with pytest.raises(InvalidMessage, match="did not sign"):
            await LiveRoster(bus).opened(lost.subject, lost.body, lost.headers)


async def test_what_is_too_large_at_all_is_refused_before_anything_is_sent(rig: Rig) -> None:
    """Nothing is kept of it, neither chunks nor a message."""
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        with pytest.raises(TooLarge, match="268435457 bytes") as caught:
            await caller.exchange(subject, bytes(MAX_BODY + 1))
        assert not caught.value.retry
        assert await bus.last(server_stream("echo"), str(subject)) is None


@pytest.mark.parametrize(("tool", "said"), [("say", "^echo.say: 100"), ("wait", "^echo.wait: the answer was refused")])
async def test_a_call_or_an_answer_that_is_too_large_fails_by_its_limit(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, tool: str, said: str
) -> None:
    """Its caller is told what is too large, and what to do."""
    echo = Echo()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo), anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(CallFailed, match=said) as caught:
                    await caller.call("echo", tool, EchoParams(text="x" * 100_000), EchoResult, call_id=new_call_id())
                assert caught.value.failure.kind == "limit"
                assert caught.value.failure.way_out

            if tool == "say":
                monkeypatch.setattr(claims, "MAX_BODY", 100_000)
            tasks.start_soon(ask)
            if tool == "wait":
                await echo.started.wait()
                monkeypatch.setattr(claims, "MAX_BODY", 100_000)
                echo.released.set()


async def test_an_answer_that_is_not_stored_and_too_large_says_so(nats: NatsRig) -> None:
    """Whoever asked hears it at once, instead of nothing until their time is over."""

    async def large(incoming: Incoming) -> bytes:
        return response(incoming.message["id"], {"text": "x" * (9 << 20)})

    async with nats.connect("echo") as server, nats.connect("orchestrator") as bus:
        async with anyio.create_task_group() as tasks:
            await tasks.start(Serving(server, large, everybody).run)
            body = b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}'
            said = parse("", (await bus.request(rpc("echo", "resources/read", "orchestrator"), body)).body)
            assert said["error"]["code"] == INTERNAL_ERROR
            assert "9437" in str(failure_of(said))
            tasks.cancel_scope.cancel()


async def test_the_broker_keeps_a_chunk_as_it_first_was(nats: NatsRig) -> None:
    """Its own sender cannot write over it, and whoever writes it again is told that it is there."""
    async with nats.connect("orchestrator") as bus:
        await bus.store("run.r-aaaa.begun", BODY)
        place = chunk("run.r-aaaa.begun", sha256(BODY), 0)
        stream = object_stream(RUNS_STREAM)
        for expect in (ABSENT, Expect(1), None):
            with pytest.raises(StoreRefused):
                await bus.store(place, b"another", expect=expect)
        kept = await bus.last(stream, place)
        assert kept is not None
        assert kept.body == BODY[:MAX_WHOLE]
        assert await _whole_again(bus) == BODY


async def _whole_again(bus: Bus) -> bytes:
    kept = await bus.last(RUNS_STREAM, "run.r-aaaa.begun")
    assert kept is not None
    return kept.body
