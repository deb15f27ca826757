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
from bus.registry import cards
from contracts.config import Joining
from orchestrator.cli.shared import AUDITOR
from orchestrator.cli.trouble import trouble
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
            told = server.create_initialization_options(NotificationOptions(tools_changed=True))
            await server.run(reading, writing, told)


@asynccontextmanager
async def gateway(host: str, terms: Terms) -> AsyncGenerator[Gateway]:
    """The gateway for one host, which has joined the crew for as long as the block runs."""
    state = state_dir()
    async with house(state) as found:
        async with connect(state, found.url, AUDITOR) as bus:
            crew = await cards(bus)
        if unknown := sorted(terms.only - {card.manifest.name for card in crew}):
            there = ", ".join(sorted({card.manifest.name for card in crew}))
            raise trouble(f"There is no server {', '.join(unknown)} in the crew.", f"There are: {there}.", code=2)
        joining = Joining(name=host, calls=terms.calls(crew), decides=not terms.read_only)
        async with (
            joined(state, joining),
            connect(state, found.url, f"host_{host}") as bus,
            open_caller(bus) as caller,
        ):
            found = Gateway(bus, Upstream(bus, caller), terms)

            async def look() -> None:
                while True:
                    with suppress(BusError):  # it looks again
                        await found.refresh()
                    await anyio.sleep(_LOOK_EVERY_S)

            async with background(look):
                yield found
