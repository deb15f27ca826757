"""What a client sees of a server is the same over every transport, in every era that the transport serves."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.abc
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from bus import caller as calls
from bus.background import cause
from tests.transports.small import INSTRUCTIONS, KEPT, NAME, QUESTIONS, REFUSAL, SAY, VERSION
from tests.transports.ways import WAYS

Era = Literal["auto", "legacy"]
REVISIONS: dict[Era, str] = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CASES: list[tuple[str, Era]] = [*((way, "auto") for way in WAYS), ("stdio", "legacy"), ("http", "legacy")]
"""On the bus everything is of 2026-07-28."""

PATIENCE_S = 60
INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_VERSION = -32602, -32601, -32022
SAID: dict[str, dict[str, Any]] = {
    "plain": {"text": "hi"},
    "characters": {"text": "é 简 \U0001f600 \u2028 \x00 \r\n"},
    "values": {"text": "", "more": {"none": None, "list": [None, 1.5, True, {}], "big": 2**53 - 1}},
}
ANSWERS = dict(zip(QUESTIONS.values(), ("Ada", "Grace"), strict=True))


async def named(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": ANSWERS[params.message]})


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, Era]:
    """A transport, and an era that it serves."""
    found: tuple[str, Era] = request.param
    return found


@pytest.fixture(scope="module")
async def client(case: tuple[str, Era], tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    """One for all tests of a case, as each leaves the server as it was."""
    way, era = case
    async with WAYS[way](tmp_path_factory.mktemp(way)) as served:
        async with Client(served.target(), mode=era, elicitation_callback=named) as client:
            yield client


def said(result: CallToolResult) -> list[str]:
    return [block.text for block in result.content if isinstance(block, TextContent)]


async def test_both_agree_on_the_revision_and_the_server_says_what_it_is(client: Client, case: tuple[str, Era]) -> None:
    """By `server/discover`, or by a handshake."""
    assert client.protocol_version == REVISIONS[case[1]]
    assert client.server_info is not None
    assert (client.server_info.name, client.server_info.version) == (NAME, VERSION)
    assert client.instructions == INSTRUCTIONS
    assert client.server_capabilities.tools is not None
    assert client.server_capabilities.prompts is None


async def test_definitions_arrive_as_they_are(client: Client) -> None:
    """Schemas with all that is in them, annotations and `_meta`; in order."""
    tools = (await client.list_tools()).tools
    assert tools[0] == SAY
    assert [tool.name for tool in tools] == ["say", "fail", "refuse", "count", "wait", "ended", "seen", "greet"]


@pytest.mark.parametrize("arguments", SAID.values(), ids=SAID)
async def test_arguments_and_structured_results_arrive_as_they_are(client: Client, arguments: dict[str, Any]) -> None:
    """Whatever characters and values they have; beside them what the result says in its `_meta`."""
    result = await client.call_tool("say", arguments)
    assert not result.is_error
    assert result.structured_content == {"said": arguments}
    assert said(result) == ["said"]
    assert result.meta is not None
    assert {key: result.meta.get(key) for key in KEPT} == KEPT


async def test_a_result_may_be_large(client: Client) -> None:
    """Hundreds of kilobytes each way; clients refuse a megabyte over HTTP."""
    text = "ä0123456789" * 50_000
    result = await client.call_tool("say", {"text": text})
    assert result.structured_content == {"said": {"text": text}}


async def test_a_tools_failure_is_its_result(client: Client) -> None:
    """With all of its content, so that a model can read it."""
    result = await client.call_tool("fail", {"text": "May I"})
    assert result.is_error
    assert said(result) == ["May I?", "No."]


@pytest.mark.parametrize("arguments", [{}, {"text": 1}, {"text": "x", "fax": "2"}])
async def test_arguments_that_the_schema_forbids_are_the_tools_failure(
    client: Client, arguments: dict[str, object]
) -> None:
    """The tool is not run."""
    result = await client.call_tool("say", arguments)
    assert result.is_error
    assert result.structured_content is None


async def test_an_error_keeps_its_code_message_and_data(client: Client) -> None:
    """It is the request's, and no result."""
    with pytest.raises(MCPError) as refused:
        await client.call_tool("refuse")
    assert (refused.value.code, refused.value.message, refused.value.data) == REFUSAL


async def test_what_is_not_there_is_an_error(client: Client) -> None:
    """A tool, and a method."""
    with pytest.raises(MCPError) as unknown:
        await client.call_tool("nothing.*")
    assert unknown.value.code == INVALID_PARAMS
    with pytest.raises(MCPError) as missing:
        await client.list_prompts()
    assert missing.value.code == METHOD_NOT_FOUND


async def test_of_calls_at_once_each_gets_its_own_progress_and_result(client: Client) -> None:
    """All of the progress, in order, before the result."""
    heard: dict[str, list[tuple[float, float | None, str | None]]] = {}
    answers: dict[str, list[str]] = {}

    async def count(name: str) -> None:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            heard.setdefault(name, []).append((progress, total, message))

        result = await client.call_tool("count", {"text": name}, progress_callback=on_progress)
        answers[name] = [*said(result), str(len(heard[name]))]

    names = [f"n{number}" for number in range(20)]
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(count, name)
    assert answers == {name: [name, "3"] for name in names}
    assert heard == {name: [(at, 3, f"{name} at {at}") for at in (1, 2, 3)] for name in names}


async def test_a_call_that_is_given_up_is_cancelled_at_the_server(client: Client) -> None:
    """Its handler ends, and no other's; whoever else calls is answered."""
    begun = {name: anyio.Event() for name in ("one", "two")}

    async def wait(name: str, *, task_status: anyio.abc.TaskStatus[anyio.CancelScope]) -> None:
        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            begun[name].set()

        with anyio.CancelScope() as scope:
            task_status.started(scope)
            await client.call_tool("wait", {"text": name}, progress_callback=on_progress)

    async def ended() -> list[str]:
        result = await client.call_tool("ended")
        assert result.structured_content is not None
        return result.structured_content["ended"]

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            scopes = {name: await tasks.start(wait, name) for name in begun}
            for event in begun.values():
                await event.wait()
            for gone in (["two"], ["two", "one"]):
                scopes[gone[-1]].cancel()
                while await ended() != gone:
                    await anyio.lowlevel.checkpoint()


async def test_what_a_tool_asks_is_answered_by_the_client(client: Client) -> None:
    """Twice in one call, with what the tool remembers in between: by `input_required`, or live."""
    assert said(await client.call_tool("greet")) == ["Ada and Grace"]


async def test_what_comes_beside_the_arguments_arrives(client: Client) -> None:
    """The client's own `_meta`, and who it is."""
    meta: Any = {"traceparent": "00-1-2-01", "example.com/kept": [1, {"a": None}]}
    result = await client.call_tool("seen", meta=meta)
    assert result.structured_content is not None
    seen = result.structured_content["meta"]
    assert {key: seen.get(key) for key in meta} == meta
    assert "elicitation" in seen["io.modelcontextprotocol/clientCapabilities"]
    assert seen["io.modelcontextprotocol/clientInfo"]["name"] == "mcp"


@pytest.mark.parametrize("way", ["memory", "nats"])
async def test_a_handshake_on_the_bus_is_refused(way: str, tmp_path: Path) -> None:
    """With the versions that there are."""
    async with WAYS[way](tmp_path) as served:
        with pytest.raises(ExceptionGroup) as grouped:
            async with Client(served.target(), mode="legacy"):
                pass
    refused = cause(grouped.value)
    assert isinstance(refused, MCPError)
    assert (refused.code, refused.data["supported"]) == (UNSUPPORTED_VERSION, ["2026-07-28"])


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_dies_answers_what_was_under_way_with_an_error(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls and all that is asked afterwards end; nobody waits for ever."""
    monkeypatch.setattr(calls, "CLIENTS_PATIENCE_S", 0.1)
    monkeypatch.setattr(calls, "FIRST_SILENCE_S", 0.05)
    outcomes: list[MCPError] = []
    begun = anyio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    async def wait(client: Client) -> None:
        with pytest.raises(MCPError) as lost:
            await client.call_tool("wait", {"text": "x"}, progress_callback=on_progress)
        outcomes.append(lost.value)

    try:
        with anyio.fail_after(PATIENCE_S):
            async with WAYS[way](tmp_path) as served, Client(served.target(), cache=None) as client:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(wait, client)
                    await begun.wait()
                    await served.die(client)
                with pytest.raises(MCPError):
                    await client.list_tools()
    except* httpx2.ConnectError:
        assert way == "http"  # whose client also ends with what its last request met
    assert len(outcomes) == 1
