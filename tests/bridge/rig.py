"""A foreign server that has joined a crew which runs, approved or not, and a host's client of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from bus.bus import Bus
from bus.caller import Caller, open_caller
from bus.connect import connect
from bus.registry import cards
from bus.transport import nats_transport
from contracts.base import utc_now
from contracts.config import Joining, ServerConfig
from contracts.manifest import Card
from orchestrator import house as houses
from orchestrator.pins import write_pin
from tests.cli.conftest import Podium
from tests.npm import Packages, installed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE_S = 60


def npm() -> Packages:
    """The servers from npm, and a Node."""
    return installed(HERE)


def script(name: str) -> tuple[str, ...]:
    """The program that npm calls `name`, with our Node."""
    packages = npm()
    return str(packages.node), str((packages.folder / ".bin" / name).resolve())


@asynccontextmanager
async def as_identity(podium: Podium, name: str) -> AsyncGenerator[tuple[Bus, Caller]]:
    """A connection of one identity to the house that is up."""
    found = await houses.status(podium.state)
    assert found is not None
    async with connect(podium.state, found.url, name) as bus, open_caller(bus) as caller:
        yield bus, caller


async def card_of(podium: Podium, name: str, since: datetime) -> Card:
    """The card of the server that was started after `since`, once it is there."""
    async with as_identity(podium, "auditor") as (bus, _):
        with anyio.fail_after(PATIENCE_S):
            while True:
                for card in await cards(bus):
                    if card.manifest.name == name and card.started_at > since:
                        return card
    raise AssertionError("unreachable")


async def approve(podium: Podium, card: Card) -> Card:
    """Approve the tools that a server offers now; its card once it goes by that."""
    now = utc_now()
    write_pin(podium.crew, card, "tests")
    await houses.reload(podium.state)
    return await card_of(podium, card.manifest.name, now)


@asynccontextmanager
async def joined(podium: Podium, name: str, server: ServerConfig, *, approved: bool = True) -> AsyncGenerator[Card]:
    """The server, in the crew for as long as the block runs; approved with all it offers, or with what was before."""
    now = utc_now()
    async with houses.joined(podium.state, Joining(name=name, server=server)):
        card = await card_of(podium, name, now)
        yield await approve(podium, card) if approved and card.refuses else card


@asynccontextmanager
async def host_of(podium: Podium, server: str, host: str = "desk", **more: Any) -> AsyncGenerator[Client]:
    """A host's client of `server`, over the bus."""
    async with (
        houses.joined(podium.state, Joining(name=host)),
        as_identity(podium, f"host_{host}") as (bus, caller),
        Client(nats_transport(caller, bus, server), mode="2026-07-28", cache=None, **more) as client,
    ):
        yield client
