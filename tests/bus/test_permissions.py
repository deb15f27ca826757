"""What the broker refuses: an identity of the crew outside its grant, on a real nats-server.

The attacker holds a valid key and speaks the NATS protocol directly, past every check of ours.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from bus.caller import new_call_id, open_caller
from bus.connect import identities
from bus.errors import BusUnavailable
from bus.identity import load_identity, new_identity
from bus.nats_bus import connect_nats
from bus.nats_link import barrier
from bus.subjects import CallSubject
from contracts.ledger import RUNS_STREAM, server_stream
from tests.bus.attacker import Attacker
from tests.bus.attacker import attacker as connected
from tests.bus.echo import Echo, EchoParams, EchoResult, served
from tests.bus.rigs import NatsRig

CALL_ID = "0" * 32
SHA256 = "0" * 64


@asynccontextmanager
async def attacker(rig: NatsRig, name: str) -> AsyncGenerator[Attacker]:
    """One of the rig's crew, gone bad."""
    async with connected(rig.broker.url, load_identity(identities(rig.state), name)) as enemy:
        yield enemy


PUBLISH = [
    "call.echo.say.orchestrator." + CALL_ID,  # in somebody else's name
    "call.echo.count.other." + CALL_ID,  # a tool it was not granted
    "result.orchestrator.echo." + CALL_ID,  # answer for somebody else
    "progress.orchestrator.echo." + CALL_ID,
    "cancel.echo.orchestrator." + CALL_ID,
    "changed.echo",  # in another server's name
    "rpc.echo.tools.list.orchestrator",
    "run.r-aaaa.begun",
    "gate.r-aaaa.plan.request",
    "gate.r-aaaa.plan.decision",
    "$KV.agents.echo.1",
    "$KV.roster.other",
    "$KV.mandates.r-aaaa",
    f"chunk.call.echo.say.orchestrator.{CALL_ID}.{SHA256}.0",  # of somebody else's call
    f"chunk.result.orchestrator.echo.{CALL_ID}.{SHA256}.0",
    f"chunk.run.r-aaaa.begun.{SHA256}.0",
    f"$JS.API.DIRECT.GET.OBJECTS_echo.chunk.call.echo.say.orchestrator.{CALL_ID}.{SHA256}.0",
    f"$JS.API.DIRECT.GET.OBJECTS_echo.chunk.result.orchestrator.echo.{CALL_ID}.{SHA256}.0",
    f"$JS.API.DIRECT.GET.OBJECTS_runs.chunk.run.r-aaaa.begun.{SHA256}.0",
    "$JS.API.DIRECT.GET.OBJECTS_echo",
    "$JS.API.STREAM.PURGE.OBJECTS_other",
    "$JS.API.STREAM.MSG.DELETE.OBJECTS_other",
    "$JS.ACK.LEDGER_echo.serve.1.1.1.1.1",
    "$JS.API.STREAM.CREATE.X",
    "$JS.API.STREAM.UPDATE.LEDGER_other",
    "$JS.API.STREAM.DELETE.LEDGER_other",
    "$JS.API.STREAM.PURGE.LEDGER_other",
    "$JS.API.STREAM.MSG.DELETE.LEDGER_other",
    "$JS.API.STREAM.INFO.LEDGER_other",
    "$JS.API.STREAM.NAMES",
    "$JS.API.CONSUMER.CREATE.LEDGER_other",
    "$JS.API.CONSUMER.DURABLE.CREATE.LEDGER_other.serve",
    "$JS.API.CONSUMER.DELETE.LEDGER_echo.serve",
    "$JS.API.CONSUMER.MSG.NEXT.LEDGER_echo.serve",
    "$JS.API.DIRECT.GET.LEDGER_echo",
    "$JS.API.DIRECT.GET.LEDGER_runs",
    "deliver.call.echo",
    "deliver.result.orchestrator.echo",
    "_INBOX.orchestrator.x",
    "$SYS.REQ.SERVER.PING",
    "anything.else",
]

SUBSCRIBE = [
    ">",
    "_INBOX.>",
    "_INBOX.orchestrator.>",
    "call.>",
    "call.echo.>",
    "result.>",
    "result.orchestrator.>",
    "deliver.>",
    "deliver.call.echo",
    "deliver.result.orchestrator.echo",
    "progress.orchestrator.>",
    "rpc.echo.>",
    "cancel.echo.>",
    "changed.echo",  # it calls echo, and is no host
    "run.>",
    "gate.>",
    "$KV.>",
    "$JS.>",
    "$SYS.>",
]


async def test_a_member_cannot_publish_outside_its_grant(nats: NatsRig) -> None:
    """Each is refused by the broker itself, whatever our code would have done."""
    async with attacker(nats, "other") as enemy:
        assert not await enemy.refused(publish="call.echo.say.other." + CALL_ID), "its own grant works"
        let_through = [subject for subject in PUBLISH if not await enemy.refused(publish=subject)]
    assert let_through == []


async def test_a_member_cannot_listen_outside_its_grant(nats: NatsRig) -> None:
    """Nobody reads another's calls, results, inboxes or keys."""
    async with attacker(nats, "other") as enemy:
        assert not await enemy.refused(subscribe="deliver.call.other"), "its own mailbox works"
        let_through = [subject for subject in SUBSCRIBE if not await enemy.refused(subscribe=subject)]
    assert let_through == []


async def test_a_host_hears_of_changes_of_the_servers_it_was_granted(nats: NatsRig) -> None:
    """And of no others; only the server itself says so."""
    async with attacker(nats, "host_desk") as host, attacker(nats, "echo") as server:
        assert not await host.refused(subscribe="changed.echo")
        assert await host.refused(subscribe="changed.other")
        assert await host.refused(publish="changed.echo")
        assert not await server.refused(publish="changed.echo")
        assert await server.refused(publish="changed.other")


async def test_who_has_no_key_is_not_let_in(nats: NatsRig) -> None:
    """A key that the house did not make, and no key at all, are refused at the door."""
    with pytest.raises(BusUnavailable):
        async with connect_nats(nats.broker.url, new_identity("echo")):
            raise AssertionError("the broker let a stranger in")
    async with await anyio.connect_tcp("127.0.0.1", int(nats.broker.url.rpartition(":")[2])) as keyless:
        await keyless.send(b"CONNECT {}\r\nPING\r\n")
        said = b"".join([part async for part in keyless])
    assert b"Authorization Violation" in said
    assert b"PONG" not in said


async def test_nobody_erases_the_ledger_not_even_who_may_write_runs(nats: NatsRig) -> None:
    """The orchestrator decides runs; it cannot delete, purge or roll up what was decided."""
    async with nats.connect("orchestrator") as bus, attacker(nats, "orchestrator") as enemy:
        seq = await bus.store("run.r-aaaa.begun", b"kept")
        for verb in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE"):
            assert await enemy.refused(publish=f"$JS.API.STREAM.{verb}.{RUNS_STREAM}")
        await enemy.client.publish("run.r-aaaa.begun", b"gone?", headers={"Nats-Rollup": "all"})
        await barrier(enemy.client)
        found = [(kept.seq, kept.body) async for kept in bus.history(RUNS_STREAM)]
    assert found == [(seq, b"kept")]


async def test_even_the_operator_cannot_delete_a_record_through_the_api(nats: NatsRig) -> None:
    """`deny_delete` and `deny_purge` hold for everybody; what an administrator can still do, the docs say."""
    async with nats.connect("operator") as bus:
        seq = await bus.store("run.r-aaaa.begun", b"kept")
        for subject, body in (
            (f"{bus.control}.API.STREAM.MSG.DELETE.{RUNS_STREAM}", {"seq": seq}),
            (f"{bus.control}.API.STREAM.PURGE.{RUNS_STREAM}", {}),
        ):
            answer = json.loads((await bus.request(subject, json.dumps(body).encode())).body)
            assert "error" in answer
        assert [kept.seq async for kept in bus.history(RUNS_STREAM)] == [seq]


async def test_a_reply_subject_smuggles_no_answer(nats: NatsRig) -> None:
    """The broker's known gap: it does not check the reply of a publish, so a PubAck can be stored as a result.

    An attacker who even guessed the call id gains nothing: the caller takes only what the server sealed.
    """
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with nats.connect("orchestrator") as bus, open_caller(bus) as caller, attacker(nats, "other") as enemy:
        await enemy.client.publish("call.echo.say.other." + CALL_ID, b"{}", reply=subject.result)
        await barrier(enemy.client)
        with anyio.fail_after(5):
            while await bus.last(server_stream("echo"), subject.result) is None:
                await anyio.lowlevel.checkpoint()
        believed: list[EchoResult] = []
        with anyio.move_on_after(1.5):
            believed.append(await caller.call("echo", "say", EchoParams(text="x"), EchoResult, call_id=subject.call_id))
    assert believed == []


async def test_a_call_under_anothers_name_through_a_reply_is_not_executed(nats: NatsRig) -> None:
    """The same gap towards the server: what lands on a call subject unsealed is answered, never executed."""
    echo = Echo()
    subject = CallSubject("echo", "say", "orchestrator", new_call_id())
    async with nats.connect("echo") as server, nats.connect("orchestrator") as bus, attacker(nats, "other") as enemy:
        async with served(server, echo):
            await enemy.client.publish("call.echo.say.other." + CALL_ID, b"{}", reply=str(subject))
            await barrier(enemy.client)
            with anyio.fail_after(10):
                while await bus.last(server_stream("echo"), subject.result) is None:
                    await anyio.lowlevel.checkpoint()
    assert echo.executed == []
