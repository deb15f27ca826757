"""The brokers of a cluster, for people: who is there, who leads how much of the ledger, who is behind."""

from __future__ import annotations

from pathlib import Path

from bus.connect import connect
from bus.errors import BusError
from bus.replication import Held, held
from contracts.base import Model
from contracts.ledger import RUNS_STREAM, server_stream
from orchestrator.config import load_crew
from orchestrator.house import House

_AUDITOR = "auditor"


class NodeView(Model):
    """One broker of several."""

    name: str
    url: str = ""
    pid: int | None = None
    state: str = "there"
    """there; away: its process has ended, or its peers do not hear it; behind: it lacks messages."""
    leads: tuple[str, ...] = ()
    """Streams of the ledger."""
    restarts: int = 0


async def view(state: Path, house: House) -> tuple[NodeView, ...]:
    """The brokers that keep the ledger of `house`; none where it is one alone, or none answers."""
    streams = (RUNS_STREAM, *map(server_stream, load_crew().servers))
    try:
        async with connect(state, house.url, _AUDITOR) as bus:
            found = await held(bus, streams)
    except BusError:
        found = ()
    return views(house, found)


def views(house: House, found: tuple[Held, ...]) -> tuple[NodeView, ...]:
    """Each broker that is known from either side, by name."""
    started = {node.name: node for node in house.nodes}
    names = {*started, *(one.leader for one in found if one.leader), *(name for one in found for name in one.behind)}
    made: list[NodeView] = []
    for name in sorted(names):
        node, lags = started.get(name), [one.behind[name] for one in found if name in one.behind]
        away = (node is not None and not node.running) or (lags and min(lags) < 0)
        made.append(
            NodeView(
                name=name,
                url=node.url if node else "",
                pid=node.pid if node else None,
                state="away" if away else "behind" if any(lags) else "there",
                leads=tuple(one.stream for one in found if one.leader == name),
                restarts=node.restarts if node else 0,
            )
        )
    return tuple(made)
