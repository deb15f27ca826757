"""The crew behind one MCP server: what `podium mcp` starts. It imports the SDK, which takes seconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

from bus.background import background
from bus.bus import Bus
from bus.caller import open_caller
from bus.connect import connect
from bus.errors import BusError
from bus.grants import host_identity
from bus.registry import cards
from contracts.config import Joining
from contracts.terms import Terms
from orchestrator.cli.shared import who
from orchestrator.cli.trouble import trouble
from orchestrator.config import load_host
from orchestrator.gateway.as_is import AsIs
from orchestrator.gateway.bearer import Offer
from orchestrator.gateway.conducting import Processes
from orchestrator.gateway.flows import Flows, Voice
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.upstream import Upstream
from orchestrator.house import house, joined, state_dir

_LOOK_EVERY_S = 1.0
_THERE_S = 60.0


async def serve_stdio(host: str, terms: Terms, *, as_is: bool) -> None:
    """Serve standard input and output until the host closes them."""
    async with offered(host, terms, as_is=as_is) as (server, _), stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


Offered = tuple[Server[Any], Offer]
"""The SDK's server, for any of its transports, and what scopes have to do with what it offers."""


def offered(host: str, terms: Terms, *, as_is: bool) -> AbstractAsyncContextManager[Offered]:
    """What a host is offered for as long as the block runs: the crew, or one member as it is."""
    return _twin(host, terms) if as_is else _gateway(host, terms)


@asynccontextmanager
async def _gateway(host: str, terms: Terms) -> AsyncGenerator[Offered]:
    state = state_dir()
    async with _admitted(state, host, terms) as (bus, upstream):
        voice = Voice(host, who(), decides=terms.decides, own_word=load_host(host).decides)
        found = Gateway(bus, upstream, terms, Flows(bus, upstream, Processes(state, host), voice))

        async def look() -> None:
            while True:
                with suppress(BusError):  # it looks again
                    await found.refresh()
                await anyio.sleep(_LOOK_EVERY_S)

        async with background(look, found.tell_of_runs):
            yield found.server("podium", version("podium")), found


@asynccontextmanager
async def _twin(host: str, terms: Terms) -> AsyncGenerator[Offered]:
    (member,) = terms.only
    async with _admitted(state_dir(), host, terms) as (bus, upstream):
        await _there(bus, member)
        found = AsIs(upstream, member)
        async with found.serving() as server:
            yield server, found


@asynccontextmanager
async def _admitted(state: Path, host: str, terms: Terms) -> AsyncGenerator[tuple[Bus, Upstream]]:
    """The crew, as a host reaches it that has joined for as long as the block runs."""
    async with (
        house(state) as found,
        joined(state, Joining(name=host, terms=terms)),
        connect(state, found.url, host_identity(host)) as bus,
        open_caller(bus) as caller,
    ):
        yield bus, Upstream(bus, caller)


async def _there(bus: Bus, member: str) -> None:
    """Wait for a member that is still starting."""
    with anyio.move_on_after(_THERE_S):
        while True:
            if any(card.manifest.name == member for card in await cards(bus)):
                return
            await anyio.sleep(_LOOK_EVERY_S / 10)
    raise trouble(f"{member} does not answer.", "The house's log has the reason: `podium status` says where.")
