"""The gateway over HTTP on a free port, a crew of one behind it, and clients: the SDK's, and bare ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.client import ConnectMode
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel.server import Server

from bus.bus import Bus
from bus.caller import open_caller
from bus.mcp_sdk import SdkAnswer
from bus.serving import Serving
from bus.wire import PROTOCOL_VERSION, JsonObject
from contracts.terms import Terms
from orchestrator.gateway.as_is import AsIs
from orchestrator.gateway.bearer import Offer
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.http.app import PATH, application
from orchestrator.gateway.http.limits import Allowance
from orchestrator.gateway.http.resource import Authorization
from orchestrator.gateway.http.serving import listening
from orchestrator.gateway.http.serving import served as web_served
from orchestrator.gateway.upstream import Upstream
from tests.bus.echo import Echo, everybody, served
from tests.bus.rigs import Rig
from tests.gateway.test_gateway import HOST

ACCEPT = "application/json, text/event-stream"
SAY: JsonObject = {"name": "echo__say", "arguments": {"text": "hi"}}


@asynccontextmanager
async def web(
    rig: Rig,
    authorization: Authorization | None = None,
    *,
    echo: Echo | None = None,
    member: Server[Any] | None = None,
    as_is: bool = False,
    offer: Offer | None = None,
    hosts: Sequence[str] = (),
    allowance: Allowance | None = None,
) -> AsyncGenerator[str]:
    """Its URL, for as long as the block runs.

    `member` takes the place of the echo server, `offer` of what says which scopes are needed.
    """
    async with (
        rig.connect("echo") as own,
        serving(own, member) if member else served(own, echo or Echo()),
        rig.connect(HOST) as bus,
        open_caller(bus) as caller,
    ):
        upstream = Upstream(bus, caller)
        twin, gateway = AsIs(upstream, "echo"), Gateway(bus, upstream, Terms())
        async with twin.serving() as twins:
            server, scopes = (twins, twin) if as_is else (gateway.server("podium", "1"), gateway)
            app = application(server, offer or scopes, hosts=hosts, authorization=authorization, allowance=allowance)
            on = listening("127.0.0.1", 0)
            async with web_served(app, on):
                yield f"http://127.0.0.1:{on.getsockname()[1]}{PATH}"


@asynccontextmanager
async def serving(bus: Bus, server: Server[Any]) -> AsyncGenerator[None]:
    """A server of the SDK's, on the bus."""
    async with anyio.create_task_group() as tasks, server.lifespan(server) as state:
        await tasks.start(Serving(bus, SdkAnswer(server, state), everybody).run)
        yield
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def host(url: str, era: ConnectMode = "auto", token: str = "", **more: Any) -> AsyncGenerator[Client]:
    """An MCP client as hosts have one."""
    async with httpx2.AsyncClient(headers=bearer(token), timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=era, cache=None, **more) as client:
            yield client


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token; none for no token."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def asked(method: str, params: Mapping[str, Any] | None = None) -> tuple[JsonObject, dict[str, str]]:
    """A request of 2026-07-28: body and headers."""
    meta: JsonObject = {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL_VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "bare", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    given = dict(params or {})
    body: JsonObject = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        "params": {**given, "_meta": {**meta, **given.get("_meta", {})}},
    }
    headers = {"Accept": ACCEPT, "MCP-Protocol-Version": PROTOCOL_VERSION, "Mcp-Method": method}
    return body, headers | ({"Mcp-Name": given["name"]} if "name" in given else {})


async def ask(
    url: str,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """Ask once, without a client that knows better."""
    body, own = asked(method, params)
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(url, json=body, headers={**own, **bearer(token), **(headers or {})})


async def say(url: str, echo_tool: str = "echo__say", *, token: str = "", **meta: object) -> httpx2.Response:
    """Call a tool of the echo server."""
    params = {"name": echo_tool, "arguments": {"text": "hi"}, "_meta": meta}
    return await ask(url, "tools/call", params, token=token)


async def initialized(url: str, *, token: str = "") -> tuple[str, httpx2.Response]:
    """A session of 2025, and what opening it was answered with."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bare", "version": "1"}}
    opened = await ask_2025(url, "", "initialize", params, token=token)
    session = opened.headers.get("mcp-session-id", "")
    if session:
        body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        async with httpx2.AsyncClient(timeout=30) as http:
            await http.post(url, json=body, headers=in_session(session, token))
    return session, opened


async def ask_2025(
    url: str, session: str, method: str, params: Mapping[str, Any] | None = None, *, token: str = ""
) -> httpx2.Response:
    """Ask once in a session, and read the stream of the answer to its end."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(url, json=body, headers=in_session(session, token))


def in_session(session: str, token: str = "") -> dict[str, str]:
    """Headers of a 2025 client."""
    own = {"Accept": ACCEPT, "MCP-Protocol-Version": "2025-11-25"} | ({"Mcp-Session-Id": session} if session else {})
    return own | bearer(token)
