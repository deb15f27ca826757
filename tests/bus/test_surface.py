"""The broker's own surface: what nobody in the crew that ships can do to it, with a valid key and past our code."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import anyio
import pytest
from nats.errors import NoRespondersError

from bus.account import BrokerAccount, BrokerUser
from bus.broker import LIMITS
from bus.bus import Bus
from bus.connect import identities
from bus.grants import AUDITOR, NOTARY, OPERATOR, RUNS_CALLER, SERVE, Permissions, permissions, results_consumer
from bus.identity import load_identity
from bus.subjects import matches
from contracts.config import Joining
from contracts.ledger import AGENTS_BUCKET
from servers.crew import CREW_FILE, read_crew
from tests.bus.attacker import attacker
from tests.bus.rigs import NatsRig, nats_rig
from tests.enforcers.at_broker import literal

CREW = read_crew(CREW_FILE).joined_by(Joining(name="desk")).grants()
WHO = {grant.name: permissions(grant) for grant in CREW if not grant.operates}

OF_THE_ACCOUNT = (
    *("INFO", "ACCOUNT.PURGE.PODIUM", "META.LEADER.STEPDOWN", "SERVER.REMOVE"),
    *("ACCOUNT.STREAM.MOVE.PODIUM.LEDGER_runs", "STREAM.NAMES", "STREAM.LIST", "STREAM.CREATE.ANOTHER"),
)
OF_A_STREAM = (
    *("STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT"),
    *("STREAM.RESTORE", "STREAM.INFO", "STREAM.PEER.REMOVE", "STREAM.LEADER.STEPDOWN"),
    *("CONSUMER.NAMES", "CONSUMER.LIST", "CONSUMER.CREATE"),
)
OF_A_CONSUMER = (
    *("CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO", "CONSUMER.DELETE", "CONSUMER.MSG.NEXT"),
    *("CONSUMER.LEADER.STEPDOWN", "CONSUMER.PAUSE", "CONSUMER.UNPIN", "CONSUMER.RESET"),
)
"""What JetStream's API has (nats-server 2.15), but for reading single messages."""

OF_THE_SYSTEM = (
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.SERVER.PING.JSZ",
    "$SYS.REQ.ACCOUNT.PODIUM.CONNZ",
    "$SYS.REQ.SERVER.X.KICK",
)

EVERYBODYS = ("run.", "gate.", "changed.", "$SRV.")
"""Begin the subjects on which what is told is told to more than one."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[NatsRig]:
    async with nats_rig(tmp_path, CREW) as made:
        yield made


async def streams_of(operator: Bus) -> list[str]:
    said = json.loads((await operator.request(f"{operator.control}.API.STREAM.NAMES", b"{}")).body)
    return said["streams"]


def administration(streams: list[str]) -> Iterator[str]:
    """Every subject by which streams and consumers are looked into, made, changed and unmade."""
    yield from (f"$JS.API.{verb}" for verb in OF_THE_ACCOUNT)
    consumers = (SERVE, results_consumer(RUNS_CALLER), "another")
    for stream in streams:
        yield from (f"$JS.API.{verb}.{stream}" for verb in OF_A_STREAM)
        yield from (f"$JS.API.{verb}.{stream}.{consumer}" for verb in OF_A_CONSUMER for consumer in consumers)
        yield from (f"$JS.API.CONSUMER.CREATE.{stream}.another.{subject}" for subject in (">", "call.>"))
    yield from OF_THE_SYSTEM


async def test_nobody_has_a_right_of_administration(house: NatsRig) -> None:
    """Not over its own stream either. The auditor is told how large streams are, the notary which there are."""
    async with house.connect(OPERATOR) as operator:
        streams = await streams_of(operator)
    assert len(streams) == 2 * 8 + 4 + 1  # seven servers and the runs, with what is kept apart; buckets; checkpoints
    tried = [subject.replace(">", "x") for subject in administration(streams)]
    ledgers = [stream for stream in streams if stream.startswith("LEDGER_")]
    meant = {AUDITOR: {f"$JS.API.STREAM.INFO.{one}" for one in ledgers}, NOTARY: {"$JS.API.STREAM.NAMES"}}
    for name in WHO:
        async with attacker(house.broker.url, load_identity(identities(house.state), name)) as enemy:
            assert await enemy.permitted(tried) == meant.get(name, set()), name


async def test_nobody_listens_at_anybody_elses_mailbox(house: NatsRig) -> None:
    """Calls, results, progress, inboxes, cancellations: where they are delivered, only their owner hears them."""
    boxes = {name: {one for one in held.subscribe if not one.startswith(EVERYBODYS)} for name, held in WHO.items()}
    assert all(boxes.values())
    for name, held in WHO.items():
        others = {box for other, theirs in boxes.items() if other != name for box in theirs}
        wide = {">", "*.>", "_INBOX.>", "deliver.>", "call.>", "result.>", "rpc.>", "chunk.>", "notary.>"}
        wide |= {"$KV.>", "$JS.>", "$JS.ACK.>", "$SYS.>", f"$KV.{AGENTS_BUCKET}.>"}
        async with attacker(house.broker.url, load_identity(identities(house.state), name)) as enemy:
            let_through = {box for box in sorted(others | wide) if not await enemy.refused(subscribe=box)}
        assert [box for box in sorted(let_through) if not _of_progress(box, held)] == [], name


def _of_progress(box: str, held: Permissions) -> bool:
    """Hosts follow runs, the auditor follows servers: by what is said of work under way, which is not stored."""
    return any(matches(mine, literal(box)) for mine in held.subscribe if mine.startswith("progress."))


def written(stream_subjects: dict[str, list[str]], held: Permissions) -> Iterator[str]:
    """One subject for each way in which somebody may write to a stream."""
    for pattern in held.publish:
        if any(matches(one, literal(pattern)) for subjects in stream_subjects.values() for one in subjects):
            yield literal(pattern)


@pytest.mark.parametrize("header", [{"Nats-Rollup": "all"}, {"Nats-Rollup": "sub"}])
async def test_nobody_rolls_up_what_was_kept(house: NatsRig, header: dict[str, str]) -> None:
    """Whoever may add a message, or a key, does not thereby take what others left there."""
    async with house.connect(OPERATOR) as operator:
        subjects = {name: await _subjects(operator, name) for name in await streams_of(operator)}
        for name, held in WHO.items():
            async with attacker(house.broker.url, load_identity(identities(house.state), name)) as enemy:
                for subject in written(subjects, held):
                    said = json.loads((await enemy.client.request(subject, b"{}", headers=header)).data)
                    assert "rollup" in said["error"]["description"], f"{name} on {subject}: {said}"
        await operator.put(AGENTS_BUCKET, "echo.1", b"card")
        assert [kept.body for kept in (await operator.entries(AGENTS_BUCKET)).values()] == [b"card"]


async def _subjects(operator: Bus, stream: str) -> list[str]:
    return json.loads((await operator.request(f"{operator.control}.API.STREAM.INFO.{stream}", b"")).body)["config"][
        "subjects"
    ]


def test_those_who_write_are_all_but_who_only_read() -> None:
    """So that the test above tries something."""
    ledger = {"any": ["call.>", "result.>", "run.>", "gate.>", "notary.>", "$KV.>", "chunk.>"]}
    silent = {name for name, held in WHO.items() if not list(written(ledger, held))}
    assert silent == {AUDITOR}


async def test_the_broker_listens_on_the_port_of_its_clients_only(house: NatsRig) -> None:
    """No monitoring port, no leaf nodes, no web socket: whoever wants to know something, asks under a name."""
    assert listening(house.broker.pid) == {int(house.broker.url.rpartition(":")[2])}


def listening(pid: int) -> set[int]:
    """TCP ports on which a process listens, by proc(5)."""
    inodes = {fd.readlink().name for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    found: set[int] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in inodes:
                found.add(int(columns[1].rpartition(":")[2], 16))
    return found


async def test_the_system_account_answers_nobody_not_even_the_operator(house: NatsRig) -> None:
    """It has no users: what it is asked by others goes nowhere."""
    async with attacker(house.broker.url, load_identity(identities(house.state), OPERATOR)) as enemy:
        for subject in OF_THE_SYSTEM[:3]:
            with pytest.raises(NoRespondersError):
                await enemy.client.request(subject, b"{}")


async def test_who_asks_for_more_than_the_limits_is_cut_off_and_others_are_not(house: NatsRig) -> None:
    """Subscriptions, and bytes of a message; each is counted by connection."""
    async with house.connect("repository") as other:
        async with attacker(house.broker.url, load_identity(identities(house.state), "model")) as enemy:
            for nth in range(LIMITS["max_subscriptions"] + 1):
                await enemy.client.subscribe(f"_INBOX.model.{nth}")  # pyright: ignore[reportUnknownMemberType] - as in attacker
            with anyio.fail_after(10):
                await enemy.closed.wait()
        async with attacker(house.broker.url, load_identity(identities(house.state), "model")) as enemy:
            large = {"X": "x" * (LIMITS["max_payload"] + 1)}  # the client itself counts the body only
            await enemy.client.publish("changed.model", b"", headers=large)
            with anyio.fail_after(10):
                await enemy.closed.wait()
        await other.entries(AGENTS_BUCKET)


def test_a_key_is_good_for_plain_connections_only() -> None:
    """Whatever else a broker of your own offers: a member's key opens no leaf node, web socket or MQTT session."""
    account = BrokerAccount({name: BrokerUser("U", held) for name, held in WHO.items()}, "$control")
    users = json.loads(json.dumps(account.entry("X")))["X"]["users"]
    assert [user["allowed_connection_types"] for user in users] == [["STANDARD"]] * len(WHO)
