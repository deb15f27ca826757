"""The small server, bridged in the tests' own process onto a bus of theirs, under the name `echo`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client

from bus.background import background
from bus.caller import open_caller
from bus.registry import cards
from bus.transport import nats_transport
from contracts.base import utc_now
from contracts.manifest import Card
from contracts.pin import Pin
from servers.bridge.serve import serve_foreign
from servers.confine import Held
from servers.crew_member import Member
from tests.bus.echo import everybody
from tests.bus.rigs import Rig

SERVER = Path(__file__).with_name("small_server.py")
PATIENCE_S = 30


def command(era: str) -> tuple[str, ...]:
    """What starts it."""
    return sys.executable, "-I", str(SERVER), era


@asynccontextmanager
async def serving(rig: Rig, scratch: Path, member: Member, leave: anyio.Event | None = None) -> AsyncGenerator[Card]:
    """The bridge, for as long as the block runs or until it is told to `leave`; yields the first card."""
    ready, leave = anyio.Event(), leave or anyio.Event()
    async with rig.connect("echo") as bus:

        async def serve() -> None:
            await serve_foreign(bus, member, scratch, everybody, held=Held("none"), ready=ready.set, leave=leave)

        async with background(serve):
            with anyio.fail_after(PATIENCE_S):
                await ready.wait()
            yield await card(rig)


async def card(rig: Rig) -> Card:
    """The card that is in the registry now."""
    async with rig.connect("orchestrator") as bus:
        (found,) = await cards(bus)
        return found


@asynccontextmanager
async def bridged(rig: Rig, scratch: Path, era: str, **more: Any) -> AsyncGenerator[Card]:
    """It, with its tools approved."""
    async with approved(rig, scratch, Member(name="echo", command=command(era), **more)) as found:
        yield found


@asynccontextmanager
async def approved(rig: Rig, scratch: Path, member: Member) -> AsyncGenerator[Card]:
    """Any server under the name `echo`, with the tools approved that it has when it is first asked."""
    async with serving(rig, scratch, await pinned(rig, scratch, member)) as found:
        yield found


async def pinned(rig: Rig, scratch: Path, member: Member) -> Member:
    """The member, with its tools approved as it has them now."""
    async with serving(rig, scratch, member) as first:
        pin = Pin(server="echo", tools=first.tools, approved_at=utc_now(), approved_by="tests")
    return member.model_copy(update={"pin": pin})


@asynccontextmanager
async def client_of(rig: Rig, caller: str = "orchestrator", **more: Any) -> AsyncGenerator[Client]:
    """The official client, as one identity of the bus."""
    async with (
        rig.connect(caller) as bus,
        open_caller(bus) as calls,
        Client(nats_transport(calls, bus, "echo"), mode="2026-07-28", cache=None, **more) as client,
    ):
        yield client
