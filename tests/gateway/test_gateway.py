"""A host of either era sees what it was granted under one server, and everything it does is on the record."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.client import ConnectMode

from bus.bus import Bus, Message
from bus.caller import open_caller
from bus.registry import announced, cards
from contracts.ledger import GRANTS_BUCKET
from contracts.terms import Terms
from orchestrator.audit import audit
from orchestrator.gateway import listing
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.offer import exposed, parted
from orchestrator.gateway.upstream import Upstream
from servers.approval import Approval
from tests.bus.echo import Echo, served
from tests.bus.rigs import Rig

HOST = "host_desk"


@asynccontextmanager
async def hosted(rig: Rig, era: ConnectMode, terms: Terms | None = None, **more: Any) -> AsyncGenerator[Client]:
    """A host's client, at a gateway of its own."""
    async with rig.connect(HOST) as bus, open_caller(bus) as caller:
        gateway = Gateway(bus, Upstream(bus, caller), terms or Terms())
        async with Client(gateway.server("podium", "1"), mode=era, **more) as client:
            yield client


@asynccontextmanager
async def echoing(rig: Rig, echo: Echo | None = None) -> AsyncGenerator[Bus]:
    async with rig.connect("echo") as bus, served(bus, echo or Echo()):
        yield bus


async def test_tools_are_listed_by_server_in_order_as_far_as_they_are_granted(rig: Rig, era: ConnectMode) -> None:
    """`server__tool`, with title, annotations and schemas as their server has them."""
    async with echoing(rig), hosted(rig, era) as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == ["echo__count", "echo__say", "echo__wait"]
    say = tools[1]
    assert say.title == "Say it back"
    assert say.annotations is not None
    assert say.annotations.read_only_hint
    assert say.output_schema is not None
    assert say.input_schema["required"] == ["text"]


async def test_a_call_is_made_under_the_hosts_own_identity(rig: Rig, era: ConnectMode) -> None:
    """The specialist is told who asks by the bus, and the ledger keeps it."""
    async with echoing(rig), hosted(rig, era) as client:
        result = await client.call_tool("echo__say", {"text": "hi"})
        assert result.structured_content == {"text": "hi", "caller": HOST, "executions": 1}
        async with rig.connect("orchestrator") as bus:
            (record,) = (await audit(bus, ["echo"])).calls
    assert (record.caller, record.server, record.tool, record.outcome) == (HOST, "echo", "say", "ok")


async def test_tools_that_nobody_approved_are_not_offered(rig: Rig, era: ConnectMode) -> None:
    """Whoever calls one all the same is told why not, and what a person can do."""
    echo = Echo()
    async with (
        rig.connect("echo") as own,
        served(own, echo, approval=Approval("echo", None)),
        hosted(rig, era) as client,
    ):
        assert (await client.list_tools()).tools == []
        refused = await client.call_tool("echo__say", {"text": "x"})
    failure = (refused.meta or {})["io.podium/failure"]
    assert (failure["kind"], echo.executed) == ("denied", [])
    assert "its tools were never approved" in failure["message"]
    assert "podium agents approve echo" in failure["way_out"]


async def test_progress_reaches_the_host(rig: Rig, era: ConnectMode) -> None:
    """Under the token that the host chose."""
    heard: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with echoing(rig), hosted(rig, era) as client:
        await client.call_tool("echo__count", {"text": ""}, progress_callback=on_progress)
    assert heard == [1, 2, 3]


async def test_a_call_that_the_host_gives_up_is_cancelled_at_the_server(rig: Rig, era: ConnectMode) -> None:
    """The handler ends, and the ledger says why."""
    echo = Echo()
    async with echoing(rig, echo), hosted(rig, era) as client:
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                await client.call_tool("echo__wait", {"text": ""})

            tasks.start_soon(ask)
            await echo.started.wait()
            tasks.cancel_scope.cancel()
        async with rig.connect("orchestrator") as bus:
            with anyio.fail_after(10):
                while (await audit(bus, ["echo"])).calls[0].outcome == "open":
                    await anyio.lowlevel.checkpoint()
            (record,) = (await audit(bus, ["echo"])).calls
    assert record.failure is not None
    assert "cancelled" in record.failure.message
    assert echo.executed == []


@pytest.mark.parametrize("name", ["echo__crash", "echo__nothing", "other__say", "say", "a.b__*", "echo__ü"])
async def test_what_a_host_was_not_granted_is_refused_and_on_the_record(rig: Rig, era: ConnectMode, name: str) -> None:
    """Nothing is executed; the attempt stands in the audit as denied, whatever its name was."""
    echo = Echo()
    async with echoing(rig, echo), hosted(rig, era) as client:
        result = await client.call_tool(name, {"text": "x"})
        assert result.is_error
        assert result.structured_content is None
        assert (result.meta or {})["io.podium/failure"]["kind"] == "denied"
        async with rig.connect("orchestrator") as bus:
            (record,) = (await audit(bus, ["echo"])).calls
    assert (record.caller, record.outcome, record.tool) == (HOST, "denied", parted(name)[1])
    assert echo.executed == []


async def test_a_name_longer_than_any_is_refused_and_on_the_record(rig: Rig, era: ConnectMode) -> None:
    """The broker, which takes no line of that length, never sees it; the host goes on."""
    async with echoing(rig), hosted(rig, era) as client:
        for name in ("x" * 6000, "echo__" + "\U0001f3bc" * 6000, "y" * 6000 + "__say"):
            result = await client.call_tool(name, {"text": "x"})
            assert (result.meta or {})["io.podium/failure"]["kind"] == "denied"
        assert not (await client.call_tool("echo__say", {"text": "hi"})).is_error
        async with rig.connect("orchestrator") as bus:
            records = (await audit(bus, ["echo"])).calls
    assert [(record.outcome, len(record.tool)) for record in records[:3]] == [
        ("denied", 64),
        ("denied", 64),
        ("denied", 3),
    ]


async def test_read_only_offers_nothing_that_changes_anything(rig: Rig, era: ConnectMode) -> None:
    """Of what is granted only tools annotated as read-only are there, and only they can be called."""
    echo = Echo()
    async with echoing(rig, echo), hosted(rig, era, Terms(read_only=True)) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo__say"]
        assert (await client.call_tool("echo__count", {"text": "x"})).is_error
    assert echo.executed == []


async def test_a_host_is_told_when_the_list_of_tools_changes(rig: Rig, era: ConnectMode) -> None:
    """Who leaves the registry leaves the list; hosts of both eras hear of it and look again."""
    changed = anyio.Event()

    async def on_message(message: object) -> None:
        if "list_changed" in str(getattr(message, "method", "")):
            changed.set()

    async with rig.connect(HOST) as bus, open_caller(bus) as caller:
        gateway = Gateway(bus, Upstream(bus, caller), Terms())
        async with Client(gateway.server("podium", "1"), mode=era, message_handler=on_message) as client:
            assert (await client.list_tools()).tools == []
            async with anyio.create_task_group() as tasks:
                if era != "legacy":

                    async def listen() -> None:
                        async with client.listen(tools_list_changed=True) as events:
                            async for _ in events:
                                changed.set()

                    tasks.start_soon(listen)
                async with echoing(rig):
                    with anyio.fail_after(10):
                        while not changed.is_set():
                            await gateway.refresh()
                            await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()


async def test_a_server_that_gave_no_answer_is_asked_again(
    rig: Rig, era: ConnectMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out for as long as it gives none, though nothing in the registry changes when it does."""
    monkeypatch.setattr(listing, "PATIENCE_S", 0.1)

    async def ignore(message: Message) -> None:
        return

    async with rig.connect("echo") as own, hosted(rig, era, cache=None) as client:
        async with served(own, Echo()):
            (card,) = await cards(own)
        async with announced(own, card, calls_answered=lambda: 0):
            async with own.listen("rpc.echo.>", ignore, queue="echo"):
                assert (await client.list_tools()).tools == []
            async with served(own, Echo()):
                assert len((await client.list_tools()).tools) == 3


async def test_a_grant_that_is_taken_back_is_gone_from_the_list(rig: Rig, era: ConnectMode) -> None:
    """What the operator publishes counts, at once."""
    async with echoing(rig), hosted(rig, era, cache=None) as client, rig.connect("operator") as operator:
        assert len((await client.list_tools()).tools) == 3
        await operator.put(GRANTS_BUCKET, HOST, b'["echo.say"]')
        assert [tool.name for tool in (await client.list_tools()).tools] == ["echo__say"]


@pytest.mark.parametrize(("server", "tool"), [("echo", "say"), ("a_b", "c__d"), ("x-1", "_"), ("x", "")])
def test_an_exposed_name_tells_whose_tool_it_is(server: str, tool: str) -> None:
    """`parted` undoes `exposed`, for a server's name has no separator in it."""
    assert parted(exposed(server, tool)) == (server, tool)
