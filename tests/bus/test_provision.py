"""Setting a ledger up on a broker that is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bus.account import ACCOUNT, ACCOUNT_FILE, BrokerAccount, BrokerUser, control_of
from bus.broker import BrokerFailed, embedded_broker
from bus.bus import NO_HEADERS, Headers, Message
from bus.cluster import embedded
from bus.connect import connect, identities
from bus.errors import StoreRefused
from bus.grants import OPERATOR, Permissions
from bus.identity import load_identity, new_identity
from bus.memory import MemoryBroker, MemoryBus
from bus.provision import provision
from contracts.ledger import RUNS_STREAM


class Older(MemoryBus):
    """A broker of a time when no message expired: it makes the stream, without what it does not know."""

    async def request(
        self, subject: str, body: bytes, headers: Headers = NO_HEADERS, *, timeout_s: float = 5.0
    ) -> Message:
        """See `Bus.request`."""
        config = json.loads(body)
        config.pop("allow_msg_ttl", None)
        return Message("", json.dumps({"config": config}).encode())


async def test_a_broker_that_does_not_know_what_a_ledger_needs_is_refused() -> None:
    """It would keep members that are gone for ever, and say nothing."""
    with pytest.raises(StoreRefused, match=r"allow_msg_ttl.*2\.11"):
        await provision(Older(MemoryBroker(), new_identity("operator")), (), {})


async def test_a_store_from_before_there_was_an_account_is_taken_over(tmp_path: Path) -> None:
    """What lay in NATS' nameless account is found in ours; two of them are nothing to choose from."""
    account, folder, kept_in = of_the_operator(tmp_path), tmp_path / "broker", tmp_path / "broker/jetstream/jetstream"
    with embedded_broker(folder, account) as broker:
        async with connect(tmp_path, broker.url, OPERATOR) as bus:
            await provision(bus, (), {})
            await bus.store("run.r-aaaa.started", b"kept")
    (kept_in / ACCOUNT).rename(kept_in / "$G")
    with embedded_broker(folder, account) as broker:
        async with connect(tmp_path, broker.url, OPERATOR) as bus:
            assert [kept.body async for kept in bus.history(RUNS_STREAM)] == [b"kept"]
    (kept_in / "$G").mkdir()
    with pytest.raises(BrokerFailed, match="earlier version"), embedded_broker(folder, account):
        pass


def test_a_clusters_store_from_before_there_was_an_account_is_left_alone(tmp_path: Path) -> None:
    """Nodes agree on what lies where, so nothing of it can be moved: it says what to do."""
    (tmp_path / "broker/node-1/jetstream/jetstream/$G").mkdir(parents=True)
    of_the_operator(tmp_path).write(tmp_path / "broker" / ACCOUNT_FILE)
    with pytest.raises(BrokerFailed, match="PODIUM_STATE_DIR"):
        embedded(tmp_path / "broker", "process", 3)
    assert (tmp_path / "broker/node-1/jetstream/jetstream/$G").exists()


def of_the_operator(state: Path) -> BrokerAccount:
    """An account with nobody else in it."""
    operator = load_identity(identities(state), OPERATOR)
    return BrokerAccount({OPERATOR: BrokerUser(operator.public, Permissions((">",), (">",)))}, control_of(operator))
