"""The server that implements what the official suite asks for, as a member: its own process, and behind a URL."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult, PromptReference

from contracts.config import ServerConfig
from orchestrator.house_start import HouseFailed
from servers.bridge import alive
from servers.bridge.link import Link, OnChange, linked
from servers.crew_member import Member
from tests.bridge.rig import ROOT, host_of, joined
from tests.bridge.small import approved, client_of
from tests.bridge.test_failures import failure
from tests.bridge.test_real_servers import ABLE, Calls, answers
from tests.bus.rigs import NatsRig
from tests.cli.conftest import Podium
from tests.conformance import suite

SERVER = (sys.executable, "-m", "tests.conformance.server")
CALLS: Calls = [
    ("test_simple_text", {}),
    ("test_image_content", {}),
    ("test_audio_content", {}),
    ("test_embedded_resource", {}),
    ("test_multiple_content_types", {}),
    ("test_error_handling", {}),
    ("json_schema_2020_12_tool", {"name": "x", "phone": "1", "contactMethod": "phone"}),
    ("json_schema_2020_12_tool", {"name": 3}),
    ("test_x_mcp_header", {"region": "eu ö"}),
    ("test_tool_with_progress", {}),
    ("test_sampling", {"prompt": "p"}),
    ("test_elicitation", {"message": "m"}),
    ("test_elicitation_sep1034_defaults", {}),
    ("test_elicitation_sep1330_enums", {}),
    ("test_input_required_result_request_state", {}),
    ("test_input_required_result_multiple_inputs", {}),
    ("test_input_required_result_multi_round", {}),
    ("test_nothing", {}),
]


async def everything_of(client: Client) -> list[Any]:
    """What a client can learn of it and have done."""
    lists = [
        (await client.list_tools()).tools,
        (await client.list_resources()).resources,
        (await client.list_resource_templates()).resource_templates,
        (await client.list_prompts()).prompts,
    ]
    found: list[Any] = [[each.model_dump(mode="json", by_alias=True) for each in one] for one in lists]
    found.append(await answers(client, CALLS))
    for uri in ("test://static-text", "test://static-binary", "test://template/7/data"):
        found.append((await client.read_resource(uri)).model_dump(mode="json", exclude={"meta"}))
    for name, arguments in (("test_simple_prompt", {}), ("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})):
        found.append((await client.get_prompt(name, arguments)).model_dump(mode="json", exclude={"meta"}))
    with pytest.raises(MCPError) as missing:
        await client.read_resource("test://nothing")
    found.append((missing.value.error.code, missing.value.error.message, missing.value.error.data))
    reference = PromptReference(name="test_prompt_with_arguments")
    completed = await client.complete(reference, {"name": "arg1", "value": ""})
    found.append(completed.completion.values)
    return found


@pytest.fixture(scope="module")
def url() -> Any:
    """Where it is served over HTTP."""
    with suite.serving([*SERVER, "--http", "0"]) as found:
        yield found


@pytest.mark.parametrize("reached", ["process", "url"])
async def test_through_the_bridge_it_is_as_directly(kept: Podium, url: str, reached: str) -> None:
    """Definitions, results, errors with their data, several rounds, and headers that are made of arguments."""
    async with Client(url, mode="2026-07-28", cache=None, **ABLE) as client:
        direct = await everything_of(client)
    server = (
        ServerConfig(url=url)
        if reached == "url"
        else ServerConfig(command=(*SERVER, "--stdio"), env=(("PYTHONPATH", str(ROOT)),))
    )
    async with joined(kept, reached, server) as card, host_of(kept, reached, **ABLE) as client:
        bridged = await everything_of(client)
    assert card.manifest.title == "podium-conformance"
    for mine, theirs in zip(bridged, direct, strict=True):
        assert mine == theirs


@asynccontextmanager
async def at(rig: NatsRig, scratch: Path, url: str) -> AsyncGenerator[Client]:
    """A client of it over a bus without a house."""
    async with approved(rig, scratch, Member(name="echo", url=url)), client_of(rig, **ABLE) as client:
        yield client


async def test_a_server_behind_a_url_of_before_is_spoken_to_as_it_was(
    nats: NatsRig, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a handshake and a session; what it asks live comes to the caller as `input_required`."""

    @asynccontextmanager
    async def shaking_hands(transport: Any, on_change: OnChange, *, ask_first: bool) -> AsyncGenerator[Link]:
        async with linked(transport, on_change, ask_first=False) as link:
            assert not link.welcome.modern
            yield link

    monkeypatch.setattr(alive, "linked", shaking_hands)
    async with Client(url, mode="legacy", cache=None, **ABLE) as client:
        direct = await everything_of(client)
    async with at(nats, tmp_path, url) as client:
        bridged = await everything_of(client)
    for mine, theirs in zip(bridged, direct, strict=True):
        assert mine == theirs


async def test_a_server_behind_a_url_that_was_away_is_reached_again(
    nats: NatsRig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that finds it gone is answered with a failure; one that is made meanwhile waits for it a while."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*SERVER, "--http", str(port)]
    async with AsyncExitStack() as opened:
        with suite.serving(command) as url:
            client = await opened.enter_async_context(at(nats, tmp_path, url))
            assert not (await client.call_tool("test_simple_text")).is_error
        assert failure(await client.call_tool("test_simple_text"))["kind"] == "unavailable"
        answers: list[CallToolResult] = []
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                answers.append(await client.call_tool("test_simple_text"))

            tasks.start_soon(call)
            attempts = caplog.text.count("again in") + 2
            while caplog.text.count("again in") < attempts:
                await anyio.lowlevel.checkpoint()
            with suite.serving(command), anyio.fail_after(20):
                while not answers:
                    await anyio.lowlevel.checkpoint()
        assert not answers[0].is_error


async def test_a_url_that_nobody_serves_is_refused_with_the_reason(kept: Podium) -> None:
    """Whoever had it join hears so."""
    with pytest.raises(HouseFailed, match="cannot be used"):
        async with joined(kept, "nobody", ServerConfig(url="http://127.0.0.1:9/mcp")):
            pass
