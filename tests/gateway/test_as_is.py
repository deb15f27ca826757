"""A member that is served as it is: nothing of it is renamed, added or left out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from mcp import Client
from mcp.client.client import ConnectMode
from mcp.shared.exceptions import MCPError

from bus.caller import open_caller
from bus.transport import nats_transport
from orchestrator.gateway.as_is import AsIs
from orchestrator.gateway.changes import Changes
from orchestrator.gateway.upstream import Upstream
from tests.bus.echo import Echo, served
from tests.bus.rigs import Rig
from tests.gateway.test_gateway import ERAS, HOST


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> ConnectMode:
    """A host of today, and one of before."""
    found: ConnectMode = request.param
    return found


@asynccontextmanager
async def twin(rig: Rig, era: ConnectMode) -> AsyncGenerator[tuple[Client, Client]]:
    """A client at the gateway, and one on the bus without a gateway between."""
    async with (
        rig.connect("echo") as member,
        served(member, Echo()),
        rig.connect(HOST) as bus,
        open_caller(bus) as caller,
        Client(nats_transport(caller, bus, "echo")) as direct,
    ):
        server = await AsIs(Upstream(bus, caller), "echo", Changes()).server()
        async with Client(server, mode=era) as client:
            yield client, direct


async def test_its_tools_are_those_it_has_itself(rig: Rig, era: ConnectMode) -> None:
    """Names, titles, schemas and annotations; what it does not declare is not there."""
    async with twin(rig, era) as (client, direct):
        assert (await client.list_tools()).tools == (await direct.list_tools()).tools
        assert client.server_capabilities.prompts is None
        assert client.server_capabilities.resources is None
        with pytest.raises(MCPError):
            await client.list_prompts()


async def test_it_says_what_it_is_itself(rig: Rig, era: ConnectMode) -> None:
    """Name, version and title are the member's, not the gateway's."""
    async with twin(rig, era) as (client, direct):
        assert client.server_info == direct.server_info


@pytest.mark.parametrize(
    ("name", "arguments"), [("say", {"text": "hi"}), ("say", {"txt": 1}), ("crash", {"text": "x"}), ("nothing", {})]
)
async def test_results_and_failures_are_its_own(
    rig: Rig, era: ConnectMode, name: str, arguments: dict[str, object]
) -> None:
    """A result, a refused argument, a call that is not granted, an unknown tool: as without a gateway."""
    async with twin(rig, era) as (client, direct):
        outcomes: list[object] = []
        for one in (client, direct):
            try:
                result = await one.call_tool(name, arguments)
                outcomes.append((result.is_error, str(result.content).replace('"executions":2', '"executions":1')))
            except MCPError as wrong:
                outcomes.append((wrong.error.code, wrong.error.data))
    assert outcomes[0] == outcomes[1]
