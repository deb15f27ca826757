"""A specialist that answers at once, so that what is measured is the way there and back.

`python -m benchmarks.echo stdio` serves it over MCP stdio; `bus STATE URL` on the bus.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import anyio
from mcp.server.stdio import stdio_server

from bus.connect import connect
from contracts.base import Model
from contracts.manifest import Manifest
from servers.confine import Held
from servers.runtime import mcp_server, serve
from servers.specialist import Call, tool


class EchoParams(Model):
    """What to say back."""

    text: str


class EchoResult(Model):
    """The same again."""

    text: str


class Echo:
    """Says back what it is told."""

    manifest: ClassVar[Manifest] = Manifest(name="echo", title="Echo", description="For measuring.")

    @tool(read_only=True)
    async def say(self, params: EchoParams, call: Call) -> EchoResult:
        """Say it back."""
        return EchoResult(text=params.text)


async def over_stdio() -> None:
    """Serve until the client goes away."""
    server = mcp_server(Echo())
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def everybody(caller: str, name: str) -> bool:
    """Grants everything."""
    return True


async def over_bus(state: Path, url: str) -> None:
    """Serve until killed; a line on stdout says when it is ready."""
    async with connect(state, url, "echo") as bus:
        await serve(
            bus,
            Echo(),
            everybody,
            granted_scopes=(),
            granted_calls=(),
            held=Held(""),
            sandbox="",
            ready=lambda: print("ready", flush=True),
        )


if __name__ == "__main__":
    options = {"use_uvloop": True}
    if sys.argv[1] == "stdio":
        anyio.run(over_stdio, backend_options=options)
    else:
        anyio.run(over_bus, Path(sys.argv[2]), sys.argv[3], backend_options=options)
