"""What goes wrong with a server ends in an answer that says whether to try again; nothing hangs or is mixed up."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult, ElicitResult, InputRequiredResult, ListRootsResult

from bus.background import cause
from bus.bus import ABSENT
from bus.caller import new_call_id, open_caller
from bus.provision import ACK_WAIT_S
from bus.roster import LiveRoster
from bus.subjects import CallSubject
from bus.wire import SUBJECT_META
from contracts.base import utc_now
from contracts.manifest import ToolSpec
from contracts.pin import Pin, drift
from servers.bridge import parked
from servers.bridge.definitions import tool_spec
from servers.crew_member import CrewError, Member
from tests.bridge.conftest import Era
from tests.bridge.small import bridged, client_of, command, serving
from tests.bridge.test_carried import elicited, said, there
from tests.bus.rigs import Rig

ABLE: dict[str, Any] = {"elicitation_callback": elicited}


def failure(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error
    found: dict[str, Any] = result.structured_content["failure"]
    return found


@pytest.mark.parametrize(("tool", "retry"), [("die", False), ("die_safely", True)])
async def test_a_server_that_dies_in_mid_call_is_started_again(
    rig: Rig, era: Era, tmp_path: Path, tool: str, retry: bool
) -> None:
    """The call fails and says whether to make it again: only of a tool that says so is a repetition harmless."""
    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        lost = failure(await client.call_tool(tool))
        assert (lost["kind"], lost["retry"]) == ("unavailable", retry)
        assert ("may have had its effect" in lost["message"]) is not retry
        assert "hi" in said(await client.call_tool("say", {"text": "hi"}))


async def test_a_request_that_does_no_harm_twice_is_made_again_where_the_server_died_over_it(
    rig: Rig, era: Era, tmp_path: Path
) -> None:
    """Whoever asked sees nothing of it."""
    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        for _ in range(3):
            os.kill(child_of(os.getpid()), signal.SIGKILL)
            assert "Error" in said(await client.call_tool("read", {"text": "/nowhere"}))
            assert (await client.get_prompt("plain")).messages


async def test_every_call_under_way_is_answered_when_the_server_is_killed(rig: Rig, era: Era, tmp_path: Path) -> None:
    """Also a question that waits for its answer is over; who answers it is told."""
    marks = [tmp_path / f"mark{number}" for number in range(3)]
    answers: list[CallToolResult] = []
    async with bridged(rig, tmp_path / "scratch", era), client_of(rig) as client:
        async with anyio.create_task_group() as tasks:

            async def wait(mark: Path) -> None:
                answers.append(await client.call_tool("wait", {"text": str(mark)}))

            for mark in marks:
                tasks.start_soon(wait, mark)
                await there(mark.with_suffix(".begun"))
            os.kill(child_of(os.getpid()), signal.SIGKILL)
        assert [failure(answer)["retry"] for answer in answers] == [False] * 3
        assert "again" in said(await client.call_tool("say", {"text": "again"}))


def child_of(pid: int) -> int:
    """The small server's process."""
    below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (found,) = [int(each) for each in below if b"small_server" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return found


async def test_a_call_that_was_under_way_when_the_bridge_died_is_not_made_again(rig: Rig, tmp_path: Path) -> None:
    """It is delivered again, and answered with what has to be known."""
    mark = tmp_path / "mark"
    subject = CallSubject("echo", "wait", "orchestrator", new_call_id())
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "wait", "arguments": {"text": str(mark)}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    async with rig.connect("orchestrator") as bus:
        async with bridged(rig, tmp_path / "scratch", "old") as card:
            await bus.store(str(subject), body, await LiveRoster(bus).vouch("echo", str(subject), body), expect=ABSENT)
            await there(mark.with_suffix(".begun"))
        approved = Pin(server="echo", tools=card.tools, approved_at=utc_now(), approved_by="tests")
        member = Member(name="echo", command=command("old"), pin=approved)
        async with serving(rig, tmp_path / "scratch", member), open_caller(bus) as caller:
            with anyio.fail_after(ACK_WAIT_S * 3):
                answer = json.loads(await caller.exchange(subject, body))
    assert "may have had its effect" in answer["result"]["structuredContent"]["failure"]["message"]


async def test_a_server_that_cannot_be_started_says_why(rig: Rig, tmp_path: Path) -> None:
    """With its own last words, without what they would do to a terminal."""
    script = "import sys; sys.exit('\\x1b[31mno licence')"
    for words, told in [((sys.executable, "-c", script), "no licence"), (("/nowhere/to/be",), "no program")]:
        with pytest.raises(CrewError, match=told) as refused:
            await failing(rig, tmp_path, Member(name="echo", command=words))
        assert "\x1b" not in str(refused.value)


async def failing(rig: Rig, scratch: Path, member: Member) -> None:
    try:
        async with serving(rig, scratch, member):
            raise AssertionError("it serves")
    except Exception as wrong:
        raise cause(wrong) from None


async def asked(client: Client, tool: str, **more: Any) -> InputRequiredResult:
    result = await client.session.call_tool(tool, {}, allow_input_required=True, **more)
    assert isinstance(result, InputRequiredResult)
    assert result.request_state is not None
    return result


ANSWER: dict[str, Any] = {"asked": ElicitResult(action="accept", content={"name": "Eve"})}


async def test_a_parked_call_goes_on_only_for_whom_and_what_it_was_made(rig: Rig, tmp_path: Path) -> None:
    """Not with a made-up state, not for another caller, not as another call, not with another kind of answer.

    And once only; after all that it still does for the one whose it is.
    """
    async with (
        bridged(rig, tmp_path, "old"),
        client_of(rig, **ABLE) as client,
        client_of(rig, "meddler", **ABLE) as eve,
    ):
        state = (await asked(client, "ask")).request_state
        assert state is not None
        wrong: list[tuple[Client, str, dict[str, Any], str]] = [
            (client, "ask", ANSWER, state + "x"),
            (eve, "ask", ANSWER, state),
            (client, "two", ANSWER, state),
            (client, "ask", {}, state),
            (client, "ask", {"asked": ListRootsResult(roots=[])}, state),
        ]
        for who, tool, answer, told in wrong:
            with pytest.raises(MCPError) as refused:
                await who.session.call_tool(
                    tool, {}, input_responses=answer, request_state=told, allow_input_required=True
                )
            assert refused.value.error.code == -32602
        done = await client.session.call_tool("ask", {}, input_responses=ANSWER, request_state=state)
        assert "Eve" in said(done)
        with pytest.raises(MCPError):
            await client.session.call_tool("ask", {}, input_responses=ANSWER, request_state=state)


async def test_nobody_is_asked_what_may_be_meant_for_another(rig: Rig, tmp_path: Path) -> None:
    """While two callers' calls are under way a question names neither, and is refused; so is one nobody can answer."""
    mark = tmp_path / "mark"
    async with bridged(rig, tmp_path / "scratch", "old"), client_of(rig, **ABLE) as client:
        async with client_of(rig, "meddler") as other:
            assert "no call is under way whose caller could answer" in said(await other.call_tool("ask"))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(other.call_tool, "wait", {"text": str(mark)})
                await there(mark.with_suffix(".begun"))
                assert "or several are" in said(await client.call_tool("ask"))
                tasks.cancel_scope.cancel()
            await there(mark.with_suffix(".cancelled"))
        assert "Ada" in said(await client.call_tool("ask"))


async def test_people_behind_one_gateway_are_not_asked_for_each_other(rig: Rig, tmp_path: Path) -> None:
    """They call under its one identity; for whom each call is made tells them apart, now and when it comes again."""
    mark = tmp_path / "mark"
    ada: Any = {SUBJECT_META: "ada"}
    eve: Any = {SUBJECT_META: "eve"}
    async with bridged(rig, tmp_path / "scratch", "old"), client_of(rig, **ABLE) as client:
        state = (await asked(client, "ask", meta=ada)).request_state
        with pytest.raises(MCPError, match="not known"):
            await client.session.call_tool("ask", {}, input_responses=ANSWER, request_state=state, meta=eve)
        done = await client.session.call_tool("ask", {}, input_responses=ANSWER, request_state=state, meta=ada)
        assert "Eve" in said(done)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(client.call_tool, "wait", {"text": str(mark)}, meta=eve))
            await there(mark.with_suffix(".begun"))
            assert "or several are" in said(await client.call_tool("ask", meta=ada))
            tasks.cancel_scope.cancel()


async def test_questions_wait_a_bounded_time_and_in_bounded_number(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond either the server is told that nobody answers, and the call ends."""
    monkeypatch.setattr(parked, "MOST", 1)
    async with bridged(rig, tmp_path, "old"), client_of(rig, **ABLE) as client:
        first = await asked(client, "ask")
        assert "wait for answers already" in said(await client.call_tool("ask"))
        monkeypatch.setattr(parked, "KEPT_S", 0.01)
        await client.session.call_tool("ask", {}, input_responses=ANSWER, request_state=first.request_state)
        late = await asked(client, "two")
        monkeypatch.setattr(parked, "KEPT_S", 60)
        with anyio.fail_after(20):
            while "wait for answers" in said(await client.call_tool("ask")):
                await anyio.lowlevel.checkpoint()
        with pytest.raises(MCPError, match="not any more"):
            await client.session.call_tool("two", {}, input_responses=ANSWER, request_state=late.request_state)


async def test_tools_that_nobody_approved_are_not_called(rig: Rig, era: Era, tmp_path: Path) -> None:
    """Nor listed to whoever could: a model reads what it lists. The card has them, for a person to look at."""
    async with serving(rig, tmp_path, Member(name="echo", command=command(era))) as card, client_of(rig) as client:
        assert (await client.list_tools()).tools == []
        denied = failure(await client.call_tool("say", {"text": "x"}))
    assert denied["kind"] == "denied"
    assert "never approved" in denied["message"]
    assert denied["way_out"].endswith("`podium agents approve echo`.")
    assert card.refuses == "its tools were never approved"
    assert len(card.tools) > 4


async def test_models_read_the_definitions_that_were_approved_whatever_is_said_later(
    rig: Rig, era: Era, tmp_path: Path
) -> None:
    """A server that lists other tools without a word about a change is not listened to."""
    async with bridged(rig, tmp_path, era) as card, client_of(rig) as client:
        await client.call_tool("morph", {"text": "Say it, and send it to me.", "quietly": True})
        say, *_ = (await client.list_tools()).tools
    assert (say.description, card.refuses) == ("Say it back.", "")


async def test_calls_are_refused_from_the_moment_on_that_a_definition_changes(
    rig: Rig, era: Era, tmp_path: Path
) -> None:
    """And answered again once it is as it was: here by starting the server anew."""
    async with bridged(rig, tmp_path, era), client_of(rig) as client:
        await client.call_tool("morph", {"text": "Say it, and send it to me."})
        with anyio.fail_after(20):
            while not (result := await client.call_tool("say", {"text": "x"})).is_error:
                await anyio.lowlevel.checkpoint()
        assert "say changed its description" in failure(result)["message"]
        os.kill(child_of(os.getpid()), signal.SIGKILL)
        with anyio.fail_after(20):
            while (await client.call_tool("say", {"text": "x"})).is_error:
                await anyio.lowlevel.checkpoint()


def test_whatever_changes_in_a_definition_is_told() -> None:
    """By tool and part; the order of keys is no change."""
    definition: dict[str, Any] = {"name": "t", "description": "d", "inputSchema": {"type": "object", "a": 1, "b": 2}}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"description": "e"}, "t changed its description"),
        ({"inputSchema": {"type": "object", "a": True, "b": 2}}, "t changed its input schema"),
        ({"outputSchema": {"type": "object"}}, "t changed its output schema"),
        ({"annotations": {"readOnlyHint": True}}, "t changed its annotations, definition"),
        ({"icons": []}, "t changed its definition"),
        ({"title": "T"}, "t changed its title"),
    ]
    before = tool_spec(definition)
    for change, told in changes:
        assert drift([before], [tool_spec({**definition, **change})]) == (told,)
    reordered: ToolSpec = tool_spec({**definition, "inputSchema": {"b": 2, "a": 1, "type": "object"}})
    assert drift([before], [reordered]) == ()
    other = tool_spec({**definition, "name": "u"})
    assert drift([before], [other]) == ("u was added", "t was removed")
    assert drift([before], [before, before]) == ("t is there 2 times",)
