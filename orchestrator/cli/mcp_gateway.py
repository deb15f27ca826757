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
from contracts.config import GATEWAY, Joining
from orchestrator.cli.shared import AUDITOR, who
from orchestrator.cli.trouble import trouble
from orchestrator.config import load_host
from orchestrator.gateway.as_is import AsIs
from orchestrator.gateway.bearer import Offer
from orchestrator.gateway.conducting import Processes
from orchestrator.gateway.flows import Flows, Voice
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.offer import Terms
from orchestrator.gateway.upstream import Upstream
from orchestrator.house import house, joined, state_dir

_LOOK_EVERY_S = 1.0


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
    async with _admitted(state, host, terms, decides=terms.decides) as (bus, upstream):
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
    async with _admitted(state_dir(), host, terms, decides=False) as (_, upstream):
        found = AsIs(upstream, member)
        async with found.serving() as server:
            yield server, found


@asynccontextmanager
async def _admitted(state: Path, host: str, terms: Terms, *, decides: bool) -> AsyncGenerator[tuple[Bus, Upstream]]:
    """The crew, as a host reaches it that has joined for as long as the block runs."""
    async with house(state) as found:
        async with connect(state, found.url, AUDITOR) as bus:
            crew = await cards(bus)
        names = {GATEWAY, *(card.manifest.name for card in crew)}
        if unknown := sorted(terms.only - names):
            there = ", ".join(sorted(names))
            raise trouble(f"There is no server {', '.join(unknown)} in the crew.", f"There are: {there}.", code=2)
        joining = Joining(name=host, calls=terms.calls(crew, load_host(host)), decides=decides)
        async with (
            joined(state, joining),
            connect(state, found.url, host_identity(host)) as bus,
            open_caller(bus) as caller,
        ):
            yield bus, Upstream(bus, caller)
