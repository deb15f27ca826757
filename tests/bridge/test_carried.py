"""What a server of either era says and does is the same through the bridge, in both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client import ClientRequestContext
from mcp_types import (
    CallToolResult,
    CreateMessageRequestParams,
    CreateMessageResult,
    DiscoverRequest,
    DiscoverResult,
    ElicitRequestParams,
    ElicitResult,
    EmptyResult,
    ListRootsResult,
    LoggingMessageNotificationParams,
    PromptReference,
    RequestParams,
    Root,
    SubscribeRequest,
    SubscribeRequestParams,
    TextContent,
)

from bus.subjects import changed
from servers.bridge import subscribed
from tests.bridge.conftest import Era
from tests.bridge.small import bridged, card, client_of
from tests.bus.rigs import Rig


def said(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


async def elicited(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": f"Ada, asked {params.message}"})


async def sampled(context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", model="m", content=TextContent(text="sampled"))


async def rooted(context: ClientRequestContext) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///work", name="work")])  # pyright: ignore[reportArgumentType] - a str is parsed


async def test_definitions_are_the_servers_own_byte_for_byte(rig: Rig, era: Era, tmp_path: Path) -> None:
    """All pages of them in one, with what no model of ours knows of; the card has the whole of each for its digest."""
    async with bridged(rig, tmp_path, era) as card, client_of(rig) as client:
        listed = await client.list_tools()
        with pytest.raises(MCPError, match="cursor"):
            await client.list_tools(cursor="rest")
    tools, cached = listed.tools, (listed.ttl_ms, listed.cache_scope)
    assert (listed.next_cursor, cached) == (None, (5, "public") if era == "new" else (0, "private"))
    assert [tool.name for tool in tools] == [spec.name for spec in card.tools]
    assert tools[0].input_schema["x-kept"] == [1, {"a": None}]
    assert card.tools[0].input_schema == tools[0].input_schema
    assert card.tools[0].more == {"annotations": {}, "icons": [{"src": "data:,"}], "_meta": {"example.com/kept": True}}
    hints = {spec.name: (spec.read_only, spec.destructive, spec.idempotent, spec.open_world) for spec in card.tools}
    assert hints["say"] == (False, True, False, True)
    assert hints["read"] == (True, False, True, True)
    assert (card.manifest.name, card.manifest.title, card.manifest.version) == ("echo", "Small", "7")


async def test_discovery_tells_what_the_server_is(rig: Rig, era: Era, tmp_path: Path) -> None:
    """A server that knows no `server/discover` is told of by its handshake."""
    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        found = await client.session.send_request(DiscoverRequest(params=RequestParams()), DiscoverResult)
    assert found.supported_versions == ["2026-07-28"]
    assert found.instructions == "Be brief."
    assert found.capabilities.completions is not None
    assert found.meta is not None
    assert found.meta["io.modelcontextprotocol/serverInfo"] == {"name": "small", "version": "7", "title": "Small"}


async def test_resources_prompts_and_completions_are_asked_for_like_tools(rig: Rig, era: Era, tmp_path: Path) -> None:
    """Each request gets the server's own result."""
    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        assert (await client.read_resource("small://x")).contents[0].uri == "small://x"
        assert (await client.get_prompt("plain")).messages[0].content == TextContent(text="plain")
        completed = await client.complete(PromptReference(name="plain"), {"name": "x", "value": ""})
    assert completed.completion.values == ["a", "b"]


async def test_an_error_keeps_its_code_and_data(rig: Rig, era: Era, tmp_path: Path) -> None:
    """Also of a method that the server does not have."""
    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("fail")
        with pytest.raises(MCPError) as unknown:
            await client.list_resources()
    assert (refused.value.error.code, refused.value.error.data) == (-32021, {"requiredCapabilities": {"sampling": {}}})
    assert unknown.value.error.code == -32601


async def test_a_server_learns_who_asks_only_as_far_as_its_era_has_it(rig: Rig, era: Era, tmp_path: Path) -> None:
    """One of 2026-07-28 gets the caller's own envelope; none gets anything of Podium's."""
    async with bridged(rig, tmp_path, era), client_of(rig, elicitation_callback=elicited) as client:
        meta: Any = {"traceparent": "00-1-2-01", "io.podium/run": "r-aaaa"}
        seen = json.loads(said(await client.call_tool("say", {"text": "hi"}, meta=meta)))
    assert seen["said"] == "hi"
    assert seen["others"] == ["arguments"]
    assert seen["meta"].pop("traceparent") == "00-1-2-01"
    if era == "old":
        assert seen["meta"] == {}
    else:
        assert seen["meta"].keys() == {
            "io.modelcontextprotocol/protocolVersion",
            "io.modelcontextprotocol/clientInfo",
            "io.modelcontextprotocol/clientCapabilities",
        }
        assert seen["meta"]["io.modelcontextprotocol/clientCapabilities"]["elicitation"] == {"form": {}, "url": {}}


async def test_progress_arrives_in_order_and_before_the_result(rig: Rig, era: Era, tmp_path: Path) -> None:
    """Under the caller's own token."""
    heard: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        assert said(await client.call_tool("count", progress_callback=on_progress)) == "counted"
    assert heard == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]


async def test_log_messages_go_to_the_call_that_asked_for_them(rig: Rig, era: Era, tmp_path: Path) -> None:
    """From the level on that it named; a call that named none hears nothing."""
    heard: list[LoggingMessageNotificationParams] = []

    async def on_log(params: LoggingMessageNotificationParams) -> None:
        heard.append(params)

    async with bridged(rig, tmp_path, era), client_of(rig, logging_callback=on_log) as client:
        await client.call_tool("log", {"text": "unheard"})
        await client.call_tool("log", {"text": "a"}, meta={"io.modelcontextprotocol/logLevel": "warning"})
    assert [(one.level, one.data) for one in heard] == [("error", {"said": "a"})]


async def test_a_call_that_is_given_up_is_cancelled_at_the_server(rig: Rig, era: Era, tmp_path: Path) -> None:
    """Its handler hears of it, and the call's stored answer says so."""
    mark = tmp_path / "mark"
    async with bridged(rig, tmp_path / "scratch", era), client_of(rig) as client:
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                await client.call_tool("wait", {"text": str(mark)})

            tasks.start_soon(wait)
            await there(mark.with_suffix(".begun"))
            tasks.cancel_scope.cancel()
        await there(mark.with_suffix(".cancelled"))


async def there(file: Path) -> None:
    with anyio.fail_after(20):
        while not file.exists():
            await anyio.lowlevel.checkpoint()


async def test_a_question_in_mid_call_reaches_the_caller_and_the_answer_the_server(
    rig: Rig, era: Era, tmp_path: Path
) -> None:
    """Whether the server waits for it, as it did, or ends the call with `input_required`, as it does now."""
    async with bridged(rig, tmp_path, era), client_of(rig, elicitation_callback=elicited) as client:
        answer = said(await client.call_tool("ask"))
    assert answer == (
        "accept: Ada, asked Who?, sealed"
        if era == "new"
        else '{"action": "accept", "content": {"name": "Ada, asked Who?"}}'
    )


@pytest.mark.parametrize(
    ("tool", "answer"),
    [
        ("sample", {"role": "assistant", "content": {"type": "text", "text": "sampled"}, "model": "m"}),
        ("roots", {"roots": [{"uri": "file:///work", "name": "work"}]}),
        ("two", [{"action": "accept", "content": {"name": f"Ada, asked {which}?"}} for which in ("One", "Two")]),
    ],
)
async def test_whatever_an_older_server_asks_is_answered(rig: Rig, tmp_path: Path, tool: str, answer: object) -> None:
    """Sampling, roots, and one question after another in one call."""
    able: dict[str, Any] = {
        "elicitation_callback": elicited,
        "sampling_callback": sampled,
        "list_roots_callback": rooted,
    }
    async with bridged(rig, tmp_path, "old"), client_of(rig, **able) as client:
        assert json.loads(said(await client.call_tool(tool, {"text": "x"}))) == answer


async def test_a_prompt_may_ask_as_well(rig: Rig, tmp_path: Path) -> None:
    """`prompts/get` goes two rounds, like a call."""
    async with bridged(rig, tmp_path, "old"), client_of(rig, elicitation_callback=elicited) as client:
        got = await client.get_prompt("asking")
    assert "Ada, asked For whom?" in str(got.messages[0].content)


async def test_who_listens_hears_what_changes(rig: Rig, era: Era, tmp_path: Path) -> None:
    """On a subject of the server's, as the notifications they are; the card is of the new definitions by then."""
    heard: list[Any] = []
    two = anyio.Event()
    async with bridged(rig, tmp_path, era) as before, client_of(rig) as client:

        async def on_message(message: Any) -> None:
            heard.append(json.loads(message.body))
            if len(heard) == 2:
                two.set()

        await subscribe(client, "small://watched")
        async with rig.connect("operator") as operator, operator.listen(changed("echo"), on_message):
            with anyio.fail_after(20):
                while not two.is_set():
                    await client.call_tool("morph", {"text": "Say it again."})
                    with anyio.move_on_after(1):
                        await two.wait()
        after = await card(rig)
    assert heard[0] == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {}}
    assert heard[1]["params"] == {"uri": "small://watched"}
    assert before.tools_sha256 != after.tools_sha256
    assert "say changed its description" in after.refuses


async def test_what_was_watched_first_gives_way_where_there_is_no_room(
    rig: Rig, era: Era, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was killed never says that it watches no more; that shuts nobody else out."""
    monkeypatch.setattr(subscribed, "MOST", 2)
    heard = anyio.Event()

    async def on_message(message: Any) -> None:
        if json.loads(message.body)["params"].get("uri") == "small://watched":
            heard.set()

    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        for uri in ("small://a", "small://b", "small://c", "small://watched"):
            await subscribe(client, uri)
        async with rig.connect("operator") as operator, operator.listen(changed("echo"), on_message):
            with anyio.fail_after(20):
                while not heard.is_set():
                    await client.call_tool("morph", {"text": "Say it again."})
                    with anyio.move_on_after(1):
                        await heard.wait()


async def subscribe(client: Client, uri: str) -> None:
    await client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=uri)), EmptyResult)
