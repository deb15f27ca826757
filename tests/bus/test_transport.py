"""The official client works unchanged over the bus, and the ordinary tools see the crew."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, Tool

from bus import caller as calls
from bus.caller import open_caller
from bus.mcp_sdk import SdkAnswer
from bus.serving import Serving
from bus.subjects import rpc
from bus.transport import nats_transport
from bus.wire import HEADER_MISMATCH
from contracts.ledger import server_stream
from tests.bus.echo import Echo, everybody, served
from tests.bus.rigs import Rig


async def test_the_official_client_negotiates_lists_and_calls(rig: Rig) -> None:
    """`Client(nats_transport(...))`: discovery, exact schemas, structured result, tool errors."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()), Client(nats_transport(caller, bus, "echo")) as client:
            assert client.protocol_version == "2026-07-28"
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == ["count", "crash", "refuse", "say", "wait"]
            assert tools[3].annotations is not None
            assert tools[3].annotations.read_only_hint
            result = await client.call_tool("say", {"text": "hi"})
            assert result.structured_content == {"text": "hi", "caller": "orchestrator", "executions": 1}
            failed = await client.call_tool("refuse", {"text": "x"})
            assert failed.is_error
            assert failed.structured_content["failure"]["kind"] == "conflict"
            invalid = await client.call_tool("say", {"txt": "x"})
            assert invalid.is_error
            with pytest.raises(MCPError):
                await client.list_prompts()


async def test_its_calls_are_stored_and_its_questions_are_not(rig: Rig) -> None:
    """`tools/call` goes through the ledger; discovery and lists leave no trace there."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, Echo()), Client(nats_transport(caller, bus, "echo")) as client:
            await client.list_tools()
            assert [one async for one in bus.history(server_stream("echo"))] == []
            await client.call_tool("say", {"text": "hi"})
            kept = [one.subject.split(".")[0] async for one in bus.history(server_stream("echo"))]
            assert kept == ["call", "result"]


async def test_a_call_its_client_no_longer_wants_is_cancelled_at_the_server(rig: Rig) -> None:
    """Cancelling in the client ends the handler and stores an answer that says so."""
    echo = Echo()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo), Client(nats_transport(caller, bus, "echo")) as client:
            async with anyio.create_task_group() as tasks:

                async def ask() -> None:
                    await client.call_tool("wait", {"text": ""})

                tasks.start_soon(ask)
                await echo.started.wait()
                tasks.cancel_scope.cancel()
            with anyio.fail_after(10):
                while True:
                    kept = [one async for one in bus.history(server_stream("echo"), "result.>")]
                    if kept:
                        break
            assert b"cancelled" in kept[0].body
    assert echo.executed == []


async def test_a_call_is_waited_for_as_long_as_its_server_is_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is silent, and however little patience there is with those who are not."""
    monkeypatch.setattr(calls, "CLIENTS_PATIENCE_S", 0)
    monkeypatch.setattr(calls, "FIRST_SILENCE_S", 0.01)
    echo = Echo()
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with served(server, echo), Client(nats_transport(caller, bus, "echo")) as client:
            async with anyio.create_task_group() as tasks:

                async def ask() -> None:
                    assert not (await client.call_tool("wait", {"text": ""})).is_error

                tasks.start_soon(ask)
                await echo.started.wait()
                until = anyio.current_time() + 0.3
                while anyio.current_time() < until:
                    await client.call_tool("say", {"text": ""})
                echo.released.set()


async def test_a_method_that_contradicts_its_subject_is_refused(rig: Rig) -> None:
    """A request whose body is another method than its subject gets HeaderMismatch."""
    async with rig.connect("echo") as server, rig.connect("orchestrator") as bus, served(server, Echo()):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}).encode()
        answer = json.loads((await bus.request(rpc("echo", "tools/list", bus.identity), body)).body)
        assert answer["error"]["code"] == HEADER_MISMATCH
        smuggled = json.loads((await bus.request(rpc("echo", "tools/call", bus.identity), body)).body)
        assert "stored" in smuggled["error"]["message"]


async def test_the_crew_answers_nats_service_discovery(nats: Rig) -> None:
    """`$SRV.PING`, `INFO` and `STATS` in ADR-32's form, so `nats micro` lists the crew."""
    async with nats.connect("echo") as server, nats.connect("operator") as bus, served(server, Echo()):
        ping = json.loads((await bus.request("$SRV.PING", b"")).body)
        assert (ping["type"], ping["name"]) == ("io.nats.micro.v1.ping_response", "echo")
        info = json.loads((await bus.request("$SRV.INFO.echo", b"")).body)
        assert info["endpoints"][0]["subject"] == "call.echo.>"
        stats = json.loads((await bus.request(f"$SRV.STATS.echo.{ping['id']}", b"")).body)
        assert stats["endpoints"][0]["num_requests"] == 0


async def test_a_stream_that_a_tool_wants_closed_is_none_here(rig: Rig) -> None:
    """Streamable HTTP lets a tool do that; the client on the bus gets its answer, and nothing it does not know."""
    heard: list[object] = []

    async def on_message(message: object) -> None:
        heard.append(message)

    async def call(ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        assert ctx.close_sse_stream is not None
        await ctx.close_sse_stream()
        return CallToolResult(content=[])

    async def tools(ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="say", input_schema={"type": "object"})])

    server = Server("echo", on_call_tool=call, on_list_tools=tools)
    async with rig.connect("echo") as member, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        async with anyio.create_task_group() as tasks, server.lifespan(server) as state:
            await tasks.start(Serving(member, SdkAnswer(server, state), everybody).run)
            async with Client(nats_transport(caller, bus, "echo"), message_handler=on_message) as client:
                assert not (await client.call_tool("say", {})).is_error
            tasks.cancel_scope.cancel()
    assert heard == []
