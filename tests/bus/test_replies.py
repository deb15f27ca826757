"""The reply of a request is where the broker says its answer, whether or not who asked may publish there.

Whoever may read a message of their own can so have any bytes said on any subject of the account (nats-server 2.15).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bus.bus import NO_HEADERS, Bus, Headers
from bus.caller import new_call_id
from bus.grants import OPERATOR
from bus.mandates import mandate_of, put_mandate, withdraw_mandate
from bus.provision import ask_jetstream
from bus.registry import cards
from contracts.ledger import AGENTS_BUCKET, GRANTS_BUCKET, MANDATES_BUCKET, ROSTER_BUCKET, server_stream
from contracts.mandate import Mandate
from tests.bus.echo import Echo, served
from tests.bus.rigs import NatsRig, nats_rig

STREAM, VICTIM = server_stream("echo"), server_stream("other")
SHORT_LIVED = json.dumps(
    {
        "name": VICTIM,
        "subjects": ["call.other.>", "result.*.other.>", "begun.other.>"],
        "storage": "file",
        "discard": "new",
        "deny_delete": True,
        "deny_purge": True,
        "allow_direct": True,
        "max_age": 1_000_000_000,
        "duplicate_window": 1_000_000_000,
    }
)
GOVERNING = {
    f"STREAM.DELETE.{VICTIM}": "",
    f"STREAM.UPDATE.{VICTIM}": SHORT_LIVED,
    "STREAM.PURGE.OBJECTS_other": "",
    f"CONSUMER.DELETE.{VICTIM}.serve": "",
}
SET = {f"{GRANTS_BUCKET}.meddler": '["echo.*","other.*"]', f"{ROSTER_BUCKET}.orchestrator": "UAAA"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[NatsRig]:
    async with nats_rig(tmp_path) as made:
        yield made


async def relay(meddler: Bus, body: str, onto: str, headers: Headers = NO_HEADERS) -> None:
    """Have the broker say `body` on `onto`, with what else stands there; returns when it has."""
    mine = f"call.echo.say.meddler.{new_call_id()}"
    await meddler.store(mine, body.encode(), headers)
    await meddler.publish(f"$JS.API.DIRECT.GET.{STREAM}.{mine}", b"", reply=onto)
    assert await meddler.glance(STREAM, mine)  # which the broker is asked for after that


async def standing(operator: Bus) -> dict[str, object]:
    """What the operator has made and set."""
    found = dict[str, object]()
    for stream in (await ask_jetstream(operator, "STREAM.LIST", {}))["streams"]:
        name = stream["config"]["name"]
        consumers = (await ask_jetstream(operator, f"CONSUMER.NAMES.{name}", {}))["consumers"]
        found[name] = (stream["config"], sorted(consumers))
    for bucket in (ROSTER_BUCKET, GRANTS_BUCKET):
        found |= {kept.subject: kept.body for kept in (await operator.entries(bucket)).values()}
    return found


@pytest.mark.parametrize(("request_", "body"), GOVERNING.items(), ids=GOVERNING)
async def test_no_reply_governs_the_broker(house: NatsRig, request_: str, body: str) -> None:
    """JetStream asks nobody who they are; where its API stands for everybody, there are questions only."""
    async with house.connect("meddler") as meddler, house.connect(OPERATOR) as operator:
        before = await standing(operator)
        await operator.store("chunk.call.other.say.x", b"kept apart")
        await relay(meddler, body, f"$JS.API.{request_}")
        assert await standing(operator) == before
        apart = await ask_jetstream(operator, "STREAM.INFO.OBJECTS_other", {})
        assert apart["state"]["messages"] == 1
        # Had it known the secret, it would have been done.
        await relay(meddler, body, f"{operator.control}.API.{request_}")
        apart = await ask_jetstream(operator, "STREAM.INFO.OBJECTS_other", {})
        assert (await standing(operator) != before) or not apart["state"]["messages"]


@pytest.mark.parametrize(("key", "value"), SET.items(), ids=SET)
async def test_no_reply_sets_whose_key_it_is_or_what_they_may_call(house: NatsRig, key: str, value: str) -> None:
    """The same for what only the operator writes down."""
    async with house.connect("meddler") as meddler, house.connect(OPERATOR) as operator:
        before = await standing(operator)
        await relay(meddler, value, f"$KV.{key}")
        assert await standing(operator) == before
        await relay(meddler, value, f"{operator.control}.KV.{key}")
        assert (await standing(operator))[f"$KV.{key}"] == value.encode() != before[f"$KV.{key}"]


async def test_no_reply_announces_a_server(house: NatsRig) -> None:
    """A card counts with the seal of the server that it is of."""
    async with house.connect("meddler") as meddler, house.connect("echo") as echo, served(echo, Echo()):
        (card,) = await cards(meddler)
        forged = card.model_copy(update={"instance": "forged"})
        await relay(meddler, forged.canonical().decode(), f"$KV.{AGENTS_BUCKET}.echo.forged")
        assert "echo.forged" in await meddler.entries(AGENTS_BUCKET)
        assert await cards(meddler) == (card,)


WIDER = Mandate(calls={"meddler": ("other.*",)}).canonical().decode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [(WIDER, {}), ("", {}), ("", {"KV-Operation": "DEL"})],
    ids=["wider", "ended", "removed"],
)
async def test_no_reply_gives_a_run_another_mandate_or_ends_it(
    house: NatsRig, body: str, headers: dict[str, str]
) -> None:
    """It counts with the orchestrator's seal; without, the run is under way, and nobody may do anything for it."""
    async with house.connect("meddler") as meddler, house.connect("orchestrator") as orchestrator:
        await put_mandate(orchestrator, "r-aaaa", Mandate(calls={"meddler": ("echo.say",)}))
        await relay(meddler, body, f"$KV.{MANDATES_BUCKET}.r-aaaa", headers)
        assert await mandate_of(orchestrator, "r-aaaa") == Mandate(calls={})
        await withdraw_mandate(orchestrator, "r-aaaa")
        assert await mandate_of(orchestrator, "r-aaaa") is None


async def test_nobody_but_the_operator_is_told_how_the_broker_is_governed(house: NatsRig) -> None:
    """Neither by what it may ask, nor by where it finds what the operator has set."""
    async with house.connect(OPERATOR) as operator, house.connect("meddler") as meddler:
        assert operator.control
        assert not meddler.control
        for bucket in (ROSTER_BUCKET, GRANTS_BUCKET):
            found = await meddler.entries(bucket)
            assert found
            assert operator.control not in repr(found)
