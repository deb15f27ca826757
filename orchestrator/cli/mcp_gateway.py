"""The crew behind one MCP server: what `podium mcp` starts. It imports the SDK, which takes seconds."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import anyio
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.stdio import stdio_server

from bus.background import background
from bus.caller import open_caller
from bus.connect import connect
from bus.errors import BusError
from bus.grants import host_identity
from bus.registry import cards
from contracts.config import GATEWAY, Joining
from orchestrator.cli.shared import AUDITOR, who
from orchestrator.cli.trouble import trouble
from orchestrator.config import load_host
from orchestrator.gateway.conducting import Processes
from orchestrator.gateway.flows import Flows, Voice
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.offer import Terms
from orchestrator.gateway.upstream import Upstream
from orchestrator.house import house, joined, state_dir

_LOOK_EVERY_S = 1.0


async def serve_stdio(host: str, terms: Terms) -> None:
    """Serve standard input and output until the host closes them."""
    async with gateway(host, terms) as found:
        server = found.server("podium", version("podium"))
        async with stdio_server() as (reading, writing):
            changing = NotificationOptions(tools_changed=True, resources_changed=True)
            told = server.create_initialization_options(changing)
            await server.run(reading, writing, told)


@asynccontextmanager
async def gateway(host: str, terms: Terms) -> AsyncGenerator[Gateway]:
    """The gateway for one host, which has joined the crew for as long as the block runs."""
    state = state_dir()
    async with house(state) as found:
        async with connect(state, found.url, AUDITOR) as bus:
            crew = await cards(bus)
        names = {GATEWAY, *(card.manifest.name for card in crew)}
        if unknown := sorted(terms.only - names):
            there = ", ".join(sorted(names))
            raise trouble(f"There is no server {', '.join(unknown)} in the crew.", f"There are: {there}.", code=2)
        joining = Joining(name=host, calls=terms.calls(crew), decides=terms.decides)
        async with (
            joined(state, joining),
            connect(state, found.url, host_identity(host)) as bus,
            open_caller(bus) as caller,
        ):
            upstream = Upstream(bus, caller)
            voice = Voice(host, who(), decides=terms.decides, own_word=load_host(host).decides)
            found = Gateway(bus, upstream, terms, Flows(bus, upstream, Processes(state, host), voice))

            async def look() -> None:
                while True:
                    with suppress(BusError):  # it looks again
                        await found.refresh()
                    await anyio.sleep(_LOOK_EVERY_S)

            async with background(look, found.tell_of_runs):
                yield found
