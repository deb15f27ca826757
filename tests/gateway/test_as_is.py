"""A member that is served as it is: nothing of it is renamed, added or left out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.client import ConnectMode
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp.shared.subscriptions import PromptsListChanged, ResourceUpdated, ServerEvent, ToolsListChanged
from mcp_types import JSONRPCNotification, JSONRPCRequest, ToolListChangedNotification

from bus.caller import open_caller
from bus.subjects import changed
from bus.transport import nats_transport
from bus.wire import notification
from orchestrator.audit import audit
from orchestrator.gateway.as_is import AsIs
from orchestrator.gateway.upstream import Upstream
from tests.bus.echo import Echo, served
from tests.bus.rigs import Rig
from tests.gateway.test_gateway import HOST


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
        async with AsIs(Upstream(bus, caller), "echo").serving() as server, Client(server, mode=era) as client:
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


async def test_a_name_longer_than_any_is_refused_and_on_the_record(rig: Rig, era: ConnectMode) -> None:
    """The broker, which takes no line of that length, never sees it; the host goes on."""
    async with twin(rig, era) as (client, direct):
        for one in (client, direct):
            with pytest.raises(MCPError):
                await one.call_tool("x" * 6000, {})
            assert not (await one.call_tool("say", {"text": "hi"})).is_error
        async with rig.connect("orchestrator") as bus:
            denied = [record for record in (await audit(bus, ["echo"])).calls if record.outcome == "denied"]
    assert [(record.server, len(record.tool)) for record in denied] == [("echo", 64)]


@pytest.mark.parametrize(
    ("method", "params", "heard"),
    [
        ("notifications/tools/list_changed", {}, ToolsListChanged()),
        ("notifications/prompts/list_changed", {}, PromptsListChanged()),
        ("notifications/resources/updated", {"uri": "note://a"}, ResourceUpdated("note://a")),
    ],
)
async def test_a_host_that_listens_hears_what_changes_at_the_member(
    rig: Rig, method: str, params: dict[str, object], heard: ServerEvent
) -> None:
    """And nothing of what is no change, or no message."""
    async with twin(rig, "auto") as (client, _), rig.connect("echo") as member:
        listening = client.listen(
            tools_list_changed=True, prompts_list_changed=True, resource_subscriptions=["note://a"]
        )
        async with listening as events:
            await member.publish(changed("echo"), b"no message")
            await member.publish(changed("echo"), notification("notifications/message", {"level": "info", "data": 1}))
            await member.publish(changed("echo"), notification("notifications/resources/updated", {"uri": "note://b"}))
            await member.publish(changed("echo"), notification(method, params))
            with anyio.fail_after(10):
                assert await anext(aiter(events)) == heard


@asynccontextmanager
async def not_reading(server: Server[Any]) -> AsyncGenerator[None]:
    """A client of the handshake era that reads nothing after the handshake."""
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](8)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage]()
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "deaf", "version": "1"}}
    greeting = (
        JSONRPCRequest(jsonrpc="2.0", id=1, method="initialize", params=params),
        JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized"),
        JSONRPCRequest(jsonrpc="2.0", id=2, method="ping"),
    )
    async with anyio.create_task_group() as tasks, to_server, from_server:
        tasks.start_soon(server.run, from_client, to_client, server.create_initialization_options())
        for message in greeting:
            await to_server.send(SessionMessage(message))
        await from_server.receive()
        await from_server.receive()  # by now the server knows that it is initialized
        yield
        tasks.cancel_scope.cancel()


async def test_a_host_of_the_handshake_era_is_told_what_changes_at_the_member(rig: Rig) -> None:
    """Whether it reads or not holds up nobody else."""
    heard = anyio.Event()

    async def on_message(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            heard.set()

    async with (
        rig.connect("echo") as member,
        served(member, Echo()),
        rig.connect(HOST) as bus,
        open_caller(bus) as caller,
        AsIs(Upstream(bus, caller), "echo").serving() as server,
        not_reading(server),
        Client(server, mode="legacy", message_handler=on_message) as client,
    ):
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed
        with anyio.fail_after(30):
            while not heard.is_set():
                await member.publish(changed("echo"), notification("notifications/tools/list_changed", {}))
                with anyio.move_on_after(3):  # it may have been told before it was known
                    await heard.wait()
