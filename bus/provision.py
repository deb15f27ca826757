"""What the operator sets up: streams, durable consumers and buckets. Members hold no right to any of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

import anyio

from bus.account import api_of, inlet
from bus.bus import Bus
from bus.errors import BusUnavailable, StoreRefused
from bus.grants import SERVE, Grant, results_consumer
from bus.subjects import deliver_calls, deliver_results
from contracts.ledger import (
    AGENTS_BUCKET,
    GRANTS_BUCKET,
    MANDATES_BUCKET,
    NOTARY_STREAM,
    ROSTER_BUCKET,
    RUNS_STREAM,
    object_stream,
    server_stream,
)

ACK_WAIT_S = 5
"""A call whose server shows no sign of work for so long is delivered again."""

_EXPIRING = frozenset({AGENTS_BUCKET, ROSTER_BUCKET, GRANTS_BUCKET})
"""Buckets that are read as a whole. In that of mandates nothing may vanish: what was there has been somebody's run."""

NOT_NOW = frozenset({10008, 10009})
"""JetStream's errors by which a cluster says that it is still agreeing on who leads."""

_PATIENCE_S = 30.0
_ATTEMPT_S = 3.0
_AGAIN_S = 0.1


REPLICAS_ENV = "PODIUM_NATS_REPLICAS"


def replicas(bus: Bus, said: str) -> int:
    """How many brokers are to hold each message: as is `said`, else three in a cluster and one where there is one.

    Raises:
        StoreRefused: what is said is no such number.
    """
    if not said:
        return 3 if bus.pause_s else 1
    if said not in {"1", "3", "5"}:
        raise StoreRefused(RUNS_STREAM, f"{REPLICAS_ENV} is {said!r}; it may be 1, 3 or 5")
    return int(said)


def deliver_subject(stream: str, consumer: str, identity: str) -> tuple[str, str]:
    """(deliver subject, queue group) of a consumer that `provision` makes for `identity`."""
    if consumer == SERVE:
        return deliver_calls(identity), identity
    return deliver_results(identity, stream.removeprefix("LEDGER_")), ""


def given_up(server: str) -> str:
    """Where the broker says which call of `server` (any: `*`) was given up, at which delivery, and why.

    Its body is JetStream's advisory `consumer_msg_terminated`, which nobody but the broker can publish.
    """
    stream = server if server == "*" else server_stream(server)
    return f"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.{stream}.{SERVE}"


def _stream(name: str, subjects: list[str], replicas: int) -> dict[str, object]:
    return {
        "name": name,
        "subjects": subjects,
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "deny_delete": True,
        "deny_purge": True,
        "allow_rollup_hdrs": False,
        "allow_direct": True,
        "duplicate_window": 120_000_000_000,
        "num_replicas": replicas,
    }


def _objects(of: dict[str, object], replicas: int) -> dict[str, object]:
    """Keeps the bodies that are too large for the messages of the stream `of`; nothing in it is ever written over.

    It can be purged, unlike the ledger: by the operator, so that what a ledger's old messages name need not be kept
    for as long as they are.
    """
    subjects = [f"chunk.{subject}" for subject in cast("list[str]", of["subjects"])]
    return _stream(object_stream(str(of["name"])), subjects, replicas) | {
        "max_msgs_per_subject": 1,
        "discard_new_per_subject": True,
        "deny_purge": False,
    }


def _bucket(name: str, replicas: int, control: str) -> dict[str, object]:
    """Only the newest value of a key is kept; where keys come and go, it may expire.

    Roll-ups stay denied: with one, whoever may write one key takes everybody's. So a key that expires leaves no marker
    behind, for which the broker would want them.
    """
    come, kept = f"{inlet(control, name)}.>", f"$KV.{name}.>"
    moved = {} if come == kept else {"subject_transform": {"src": come, "dest": kept}}
    expiring = {"allow_msg_ttl": True} if name in _EXPIRING else {}
    return _stream(f"KV_{name}", [come], replicas) | {"max_msgs_per_subject": 1} | expiring | moved


def _serve_consumer(server: str, concurrency: int, pause_s: float) -> dict[str, object]:
    return {
        "durable_name": SERVE,
        "filter_subject": f"call.{server}.>",
        "deliver_subject": deliver_calls(server),
        "deliver_group": server,
        "ack_policy": "explicit",
        "ack_wait": int((ACK_WAIT_S + pause_s) * 1e9),  # signs of work are lost while nobody leads
        "max_deliver": -1,  # the broker gives no call up, as nobody would answer it then; see `bus.lives`
        "max_ack_pending": concurrency,
        "deliver_policy": "all",
    }


def _results_consumer(caller: str, server: str) -> dict[str, object]:
    # Nothing is acknowledged here: a result is stored, so a caller that missed it asks for it by call id.
    return {
        "durable_name": results_consumer(caller),
        "filter_subject": f"result.{caller}.{server}.>",
        "deliver_subject": deliver_results(caller, server),
        "ack_policy": "none",
        "deliver_policy": "new",
    }


async def provision(bus: Bus, grants: Iterable[Grant], roster: dict[str, str], *, replicas: int = 1) -> None:
    """Make or bring up to date everything the crew's grants call for, held by `replicas` brokers. Safe to repeat.

    `roster` has each name's entry; see `bus.roster`.

    Raises:
        StoreRefused: the broker refuses; says what and why.
        BusUnavailable: no answer.
    """
    every = tuple(grants)
    kept = ["run.>", "gate.>", "refused.>", "denied.>", "crew.>", given_up("*")]
    await _ensure_ledger(bus, RUNS_STREAM, kept, replicas)
    for bucket in (AGENTS_BUCKET, ROSTER_BUCKET, GRANTS_BUCKET, MANDATES_BUCKET):
        await _ensure_stream(bus, _bucket(bucket, replicas, bus.control))
    await _ensure_stream(bus, _stream(NOTARY_STREAM, ["notary.>"], replicas))
    servers = {grant.name: grant.concurrency for grant in every if grant.serves}
    for server, concurrency in servers.items():
        subjects = [f"call.{server}.>", f"result.*.{server}.>", f"begun.{server}.>"]
        await _ensure_ledger(bus, server_stream(server), subjects, replicas)
        await _ensure_consumer(bus, server_stream(server), _serve_consumer(server, concurrency, bus.pause_s))
    for grant in every:
        for server in grant.servers():
            if server in servers:
                await _ensure_consumer(bus, server_stream(server), _results_consumer(grant.name, server))
    for name, entry in roster.items():
        await bus.put(ROSTER_BUCKET, name, entry.encode())
    calls = {grant.name: grant.calls for grant in every}
    for name in await bus.entries(GRANTS_BUCKET):
        if name not in calls:
            await bus.delete(GRANTS_BUCKET, name)
    for name, granted in calls.items():
        await bus.put(GRANTS_BUCKET, name, json.dumps(granted).encode())


async def ask_jetstream(bus: Bus, subject: str, body: dict[str, object]) -> dict[str, Any]:
    """What JetStream's API answers on `subject`, once somebody leads who can; it may be an error.

    It may be asked more than once, so what it asks for must be safe to repeat.

    Raises:
        BusUnavailable: no answer within half a minute.
    """
    asked, deadline = f"{api_of(bus.control)}.{subject}", anyio.current_time() + _PATIENCE_S
    while True:
        try:
            answer = await bus.request(asked, json.dumps(body).encode(), timeout_s=_ATTEMPT_S)
            said: dict[str, Any] = json.loads(answer.body)
            if said.get("error", {}).get("err_code") not in NOT_NOW or anyio.current_time() > deadline:
                return said
        except BusUnavailable as wrong:
            if anyio.current_time() > deadline:
                told = "JetStream does not answer; does the broker have what `podium broker-config` prints now?"
                raise BusUnavailable(told) from wrong
        await anyio.sleep(_AGAIN_S)


async def _ensure_ledger(bus: Bus, name: str, subjects: list[str], replicas: int) -> None:
    stream = _stream(name, subjects, replicas)
    await _ensure_stream(bus, _objects(stream, replicas))
    await _ensure_stream(bus, stream)


async def _ensure_stream(bus: Bus, config: dict[str, object]) -> None:
    name = config["name"]
    said = await ask_jetstream(bus, f"STREAM.CREATE.{name}", config)
    if "error" in said:  # it exists with another configuration, or cannot be had
        said = await ask_jetstream(bus, f"STREAM.UPDATE.{name}", config)
    if error := said.get("error"):
        raise StoreRefused(str(name), f"the stream cannot be provisioned: {error}")
    # A broker leaves out what it has never heard of, and says nothing.
    if unknown := [key for key, wanted in config.items() if wanted is True and not said["config"].get(key)]:
        raise StoreRefused(str(name), f"this broker knows no {', '.join(unknown)}: NATS 2.11 or newer is needed")


async def _ensure_consumer(bus: Bus, stream: str, config: dict[str, object]) -> None:
    name = config["durable_name"]
    wanted: dict[str, object] = {"stream_name": stream, "config": config}
    said = await ask_jetstream(bus, f"CONSUMER.DURABLE.CREATE.{stream}.{name}", wanted)
    if error := said.get("error"):
        raise StoreRefused(f"{stream}.{name}", f"the consumer cannot be provisioned: {error}")
