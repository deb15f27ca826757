"""One of several brokers on this machine that keep the same ledger: how it finds its peers, and they it."""

from __future__ import annotations

from dataclasses import dataclass

_PEER_PING = "2s"
"""How often a peer is asked for a sign of life; after two without, its route is given up."""


@dataclass(frozen=True)
class Node:
    """A place in a cluster. Peers meet on loopback and know each other by a secret."""

    name: str
    route_port: int
    peers: tuple[int, ...]
    """Route ports of all nodes, its own included."""
    secret: str
    """Who does not know it cannot join; it stands in the nodes' own configuration files only."""

    def configuration(self) -> dict[str, object]:
        """What a NATS configuration says of it."""
        return {
            "server_name": self.name,
            "cluster": {
                "name": "podium",
                "listen": f"127.0.0.1:{self.route_port}",
                "authorization": {"user": "node", "password": self.secret, "timeout": 2},
                "routes": [f"nats-route://node:{self.secret}@127.0.0.1:{port}" for port in self.peers],
                "ping_interval": _PEER_PING,
                "ping_max": 2,
            },
        }
