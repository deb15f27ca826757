"""`podium up --cluster`: several brokers that come up, are mended and go down as one."""

from __future__ import annotations

import os
import signal
import stat

from tests.cli.conftest import Podium, wait_for_end


def test_a_cluster_of_brokers_is_kept_as_one(fresh: Podium) -> None:
    """Each has its store, and secrets only their owner reads; who dies is started again, and who leads is told.

    From then on the state directory is a cluster's: for commands that say nothing of it, too.
    """
    up = fresh("up", "--cluster", "3", "--json")
    assert up.code == 0, up.err
    nodes = up.document["nodes"]
    leader = max(nodes, key=lambda node: len(node["leads"]))
    assert [node["state"] for node in nodes] == ["there"] * 3
    assert sum(len(node["leads"]) for node in nodes) == 8
    for number in (1, 2, 3):
        config = fresh.state / "broker" / f"node-{number}" / "nats.json"
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert "http" not in config.read_text()

    os.kill(leader["pid"], signal.SIGKILL)
    assert wait_for_end(leader["pid"])
    assert fresh("runs", "--json").document == []
    told = fresh("status")
    assert f"{leader['name']:<12}" in told.out
    assert "started again 1 ×" in told.out

    assert fresh("down").code == 0
    assert fresh.processes() == []
    refused = fresh("up", "--cluster", "1", "--json")
    assert refused.code == 1
    assert "is kept by 3 brokers" in refused.document["error"]["message"]


def test_brokers_of_ones_own_are_not_joined_by_others(fresh: Podium) -> None:
    """With PODIUM_NATS_URL there is nothing for `--cluster` to start."""
    refused = fresh("up", "--cluster", "3", "--json", env={"PODIUM_NATS_URL": "nats://127.0.0.1:1"})

    assert refused.code == 2
    assert "PODIUM_NATS_URL" in refused.document["error"]["message"]
