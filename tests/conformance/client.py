"""`python -m tests.conformance.client URL`: the client that the suite's client scenarios start.

The suite serves the URL. It joins a bus as a member, behind a bridge, and is called with the official client over our
transport; which scenario is played the suite says in the environment. What does not arrive here ends with an error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND, CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from bus.caller import open_caller
from bus.transport import nats_transport
from servers.crew_member import Member
from tests.bridge.small import approved
from tests.bus.rigs import nats_rig

SCENARIO, CONTEXT = "MCP_CONFORMANCE_SCENARIO", "MCP_CONFORMANCE_CONTEXT"
"""How the suite says what to play, and with what."""

Play = Callable[[Client], Awaitable[None]]


def said(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    assert not result.is_error, block.text
    return block.text


async def _list(client: Client) -> None:
    await client.list_tools()


async def _list_in_vain(client: Client) -> None:
    """The server says that it has no tools: what it would list all the same, nobody has approved."""
    with pytest.raises(MCPError) as refused:
        await client.list_tools()
    assert refused.value.error.code == METHOD_NOT_FOUND


async def _add(client: Client) -> None:
    (tool,) = (await client.list_tools()).tools
    assert said(await client.call_tool(tool.name, {"a": 5, "b": 3})) == "The sum of 5 and 3 is 8"


async def _echo_schema(client: Client) -> None:
    schemas = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
    schema = schemas["json_schema_2020_12_tool"]
    assert said(await client.call_tool("json_schema_echo", {"schema": schema})) == "echoed"


async def _ask_in_rounds(client: Client) -> None:
    """Each waits once for an answer; `main` makes another call before it gives it."""
    assert said(await client.call_tool("test_mrtr_echo_state")) == "echo-state-ok"
    assert said(await client.call_tool("test_mrtr_no_state")) == "no-state-ok"
    assert said(await client.call_tool("test_mrtr_no_result_type")) == "no-result-type-test-ok"


async def _take_defaults(client: Client) -> None:
    said(await client.call_tool("test_client_elicitation_defaults"))


async def _use_all(client: Client) -> None:
    """Every tool, resource and prompt there is."""
    able = client.server_capabilities
    for tool in (await client.list_tools()).tools:
        said(await client.call_tool(tool.name, dict.fromkeys(tool.input_schema.get("required", ()), "x")))
    for resource in (await client.list_resources()).resources if able.resources else ():
        await client.read_resource(resource.uri)
    for prompt in (await client.list_prompts()).prompts if able.prompts else ():
        await client.get_prompt(prompt.name)


async def _call_as_told(client: Client) -> None:
    for call in json.loads(os.environ[CONTEXT])["toolCalls"]:
        said(await client.call_tool(call["name"], call["arguments"]))


SCENARIOS: dict[str, Play] = {
    "initialize": _list_in_vain,
    "request-metadata": _list_in_vain,
    "json-schema-ref-no-deref": _list,
    "tools_call": _add,
    "json-schema-2020-12-preservation": _echo_schema,
    "sep-2322-client-request-state": _ask_in_rounds,
    "elicitation-sep1034-client-defaults": _take_defaults,
    "http-standard-headers": _use_all,
    "http-custom-headers": _call_as_told,
    "http-invalid-tool-headers": _use_all,
    "sse-retry": _use_all,
}
"""What the client does in each."""


async def main(url: str, play: Play) -> None:
    """Have the server at `url` join, and play."""
    opened: list[Client] = []

    async def answered(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """With each property's default, and yes where it has none."""
        assert params.mode == "form"
        if "continue" in params.message:
            assert said(await opened[0].call_tool("test_mrtr_unrelated")) == "unrelated-ok"
        properties: dict[str, Any] = params.requested_schema["properties"]
        return ElicitResult(
            action="accept", content={name: schema.get("default", True) for name, schema in properties.items()}
        )

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        async with (
            nats_rig(scratch / "bus") as rig,
            approved(rig, scratch / "member", Member(name="echo", url=url)),
            rig.connect("orchestrator") as bus,
            open_caller(bus) as caller,
            Client(nats_transport(caller, bus, "echo"), elicitation_callback=answered) as client,
        ):
            opened.append(client)
            await play(client)


if __name__ == "__main__":
    anyio.run(partial(main, sys.argv[1], SCENARIOS[os.environ[SCENARIO]]))
