"""By how many brokers a ledger is kept, and what people are told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.cluster import OtherForm, kept_by, size_of
from bus.errors import StoreRefused
from bus.memory import MemoryBroker
from bus.provision import replicas
from bus.replication import Held
from orchestrator.house import BrokerNode, House
from orchestrator.nodes import views
from servers.place import Place


def test_a_ledger_stays_as_it_is_kept(tmp_path: Path) -> None:
    """Without a wish it is taken as it is, with another it is refused: what one broker holds, another lacks."""
    single, cluster = tmp_path / "single", tmp_path / "cluster"
    (single / "jetstream").mkdir(parents=True)
    for number in (1, 2, 3):
        (cluster / f"node-{number}" / "jetstream").mkdir(parents=True)

    assert (kept_by(tmp_path / "none"), kept_by(single), kept_by(cluster)) == (0, 1, 3)
    assert (size_of(tmp_path / "none", 0), size_of(tmp_path / "none", 3)) == (1, 3)
    assert (size_of(single, 0), size_of(cluster, 0), size_of(cluster, 3)) == (1, 3, 3)
    for folder, wanted, kept in ((single, 3, "one broker"), (cluster, 1, "3 brokers")):
        with pytest.raises(OtherForm, match=f"is kept by {kept}, not by {wanted}"):
            size_of(folder, wanted)


def test_how_many_copies_there_are_is_said_or_found() -> None:
    """One where there is one broker; what is said counts, unless it is no number of copies."""
    bus = MemoryBroker().connect("operator")

    assert (replicas(bus, ""), replicas(bus, "3")) == (1, 3)
    with pytest.raises(StoreRefused, match="may be 1, 3 or 5"):
        replicas(bus, "2")


def test_people_see_who_leads_who_is_away_and_who_is_behind() -> None:
    """What the house knows of its processes and what the leaders know of their peers, by node."""
    started = [BrokerNode(name=f"n{n}", url="", pid=n, running=n != 3, restarts=n - 1) for n in (1, 2, 3)]
    house = House(
        url="", pid=1, keep=True, started_at=datetime.now(UTC), durability="process", version="1", nodes=tuple(started)
    )
    found = (Held("a", "n1", {"n2": 4, "n3": -1}), Held("b", "n1", {"n2": 0, "n3": -1}), Held("c"))

    seen = {node.name: (node.state, node.leads, node.restarts) for node in views(house, found)}

    assert seen == {"n1": ("there", ("a", "b"), 0), "n2": ("behind", (), 1), "n3": ("away", (), 2)}


def test_a_member_may_reach_every_broker(tmp_path: Path) -> None:
    """Its confinement leaves the ports of all of them open, so that it can go on with another."""
    assert Place(tmp_path, "nats://127.0.0.1:5001,nats://127.0.0.1:5002, nats://b").ports == (5001, 5002, 4222)
