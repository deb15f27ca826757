"""What the conformance server does that the suite does not look at, and that a way through the bus has to carry."""

from __future__ import annotations

import sys

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.context import ClientRequestContext
from mcp.client.session import IncomingMessage
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import (
    ElicitRequestParams,
    ElicitResult,
    LoggingMessageNotification,
    ResourceUpdatedNotification,
    TextContent,
    TextResourceContents,
)

from tests.conformance.server.build import conformance_server
from tests.conformance.server.resources import WATCHED

ANSWERS = {"name": "Ada", "color": "green"}


async def fill_in(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Answer each question of a form from `ANSWERS`."""
    assert params.mode == "form"
    return ElicitResult(
        action="accept", content={name: ANSWERS[name] for name in params.requested_schema["properties"]}
    )


async def said(client: Client, tool: str, arguments: dict[str, object] | None = None) -> str:
    result = await client.call_tool(tool, arguments or {})
    block = result.content[0]
    assert isinstance(block, TextContent)
    return block.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_tool_may_ask_twice_in_both_eras(mode: str) -> None:
    """By `input_required` results, or by live requests to a client that knows none."""
    async with Client(conformance_server(), mode=mode, elicitation_callback=fill_in) as client:
        assert await said(client, "test_input_required_result_multi_round") == "Ada likes green"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_person_who_declines_is_not_asked_again(mode: str) -> None:
    """The call ends with an error that says so."""

    async def decline(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="decline")

    with anyio.fail_after(10):
        async with Client(conformance_server(), mode=mode, elicitation_callback=decline) as client:
            with pytest.raises(MCPError, match="decline"):
                await client.call_tool("test_input_required_result_multi_round", {})


async def test_every_list_says_how_long_it_may_be_kept() -> None:
    """In figures that nobody has as a default, so that a way which drops them is found out."""
    async with Client(conformance_server()) as client:
        tools, prompts = await client.list_tools(), await client.list_prompts()
        resources, templates = await client.list_resources(), await client.list_resource_templates()
        read = await client.read_resource(WATCHED)
    assert {(each.ttl_ms, each.cache_scope) for each in (tools, prompts, resources, templates, read)} == {
        (1000, "public")
    }


async def test_it_is_served_over_stdio_too() -> None:
    """As a member of a crew is started that is not written for the bus."""
    command = StdioServerParameters(command=sys.executable, args=["-m", "tests.conformance.server", "--stdio"])
    async with Client(command, elicitation_callback=fill_in) as client:
        assert await said(client, "test_input_required_result_elicitation") == "Hello, Ada!"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_arguments_that_the_schema_forbids_are_the_tools_error(mode: str) -> None:
    """A model can read what is wrong and try again."""
    async with Client(conformance_server(), mode=mode) as client:
        assert (
            "additional"
            in (await said(client, "json_schema_2020_12_tool", {"email": "a@example.org", "fax": "2"})).lower()
        )


async def test_a_listener_of_2026_hears_that_the_watched_resource_changed() -> None:
    """And reads the new edition."""
    async with Client(conformance_server()) as client:
        async with client.listen(resource_subscriptions=[WATCHED]) as events:
            await client.call_tool("test_trigger_resource_change", {})
            with anyio.fail_after(10):
                assert await anext(events) == ResourceUpdated(uri=WATCHED)
        [contents] = (await client.read_resource(WATCHED)).contents
        assert isinstance(contents, TextResourceContents)
        assert contents.text == "Edition 2"


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_subscriber_of_2025_hears_of_changes_until_it_unsubscribes() -> None:
    """By `resources/subscribe`."""
    heard: list[str] = []
    arrived = anyio.Event()

    async def on_message(message: IncomingMessage) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.append(str(message.params.uri))
            arrived.set()

    async with Client(conformance_server(), mode="legacy", message_handler=on_message) as client:
        await client.subscribe_resource(WATCHED)  # pyright: ignore[reportDeprecated] - 2025 clients still use it
        await client.call_tool("test_trigger_resource_change", {})
        with anyio.fail_after(10):
            await arrived.wait()
        await client.unsubscribe_resource(WATCHED)  # pyright: ignore[reportDeprecated] - as above
        await client.call_tool("test_trigger_resource_change", {})
    assert heard == [WATCHED]


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_a_client_of_2025_is_spared_messages_below_its_level() -> None:
    """Everything is logged until it says otherwise."""
    heard: list[object] = []

    async def on_message(message: IncomingMessage) -> None:
        if isinstance(message, LoggingMessageNotification):
            heard.append(message.params.data)

    async with Client(conformance_server(), mode="legacy", message_handler=on_message) as client:
        await client.call_tool("test_tool_with_logging", {})
        assert len(heard) == 3
        await client.set_logging_level("error")  # pyright: ignore[reportDeprecated] - 2025 clients still use it
        await client.call_tool("test_tool_with_logging", {})
        assert len(heard) == 3
