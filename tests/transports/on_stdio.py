"""`python -m tests.transports.on_stdio`: the small server behind a gateway, as a host starts one."""

from __future__ import annotations

import anyio
from mcp.server.stdio import stdio_server

from bus.caller import open_caller
from orchestrator.gateway.as_is import AsIs
from orchestrator.gateway.upstream import Upstream
from tests.bus.rigs import MemoryRig
from tests.gateway.http.web import serving
from tests.gateway.test_gateway import HOST
from tests.transports.small import small_server


async def main() -> None:
    """Serve standard input and output until the host hangs up."""
    rig = MemoryRig()
    async with (
        rig.connect("echo") as member,
        serving(member, small_server()),
        rig.connect(HOST) as bus,
        open_caller(bus) as caller,
        AsIs(Upstream(bus, caller), "echo").serving() as server,
        stdio_server() as (reading, writing),
    ):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
