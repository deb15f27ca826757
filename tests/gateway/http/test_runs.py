"""Runs over HTTP: who reads them, who decides at their gates, and in whose name."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp.client.client import ConnectMode

from bus.caller import open_caller
from bus.wire import JsonObject
from contracts.terms import Terms
from orchestrator.audit import audit
from orchestrator.gates import decide
from orchestrator.gateway.flows import Flows, Voice
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.http.app import PATH, application
from orchestrator.gateway.http.serving import listening, served
from orchestrator.gateway.upstream import Upstream
from orchestrator.policies import answer
from tests.gateway.desk import Person, ScriptedConducting, approving
from tests.gateway.http.issuer import SPELT
from tests.gateway.http.web import ask, host
from tests.gateway.test_flows import PLAN, gate_of, waiting
from tests.gateway.test_gateway import HOST
from tests.orchestrator.conftest import stage
from tests.orchestrator.crew import RUN
from tests.orchestrator.stage import Stage

__all__ = ["stage"]

pytestmark = pytest.mark.usefixtures("at_once")


@asynccontextmanager
async def web(stage: Stage, resumed: list[str] | None = None) -> AsyncGenerator[str]:
    """The gateway's URL, with runs; the person at the machine it runs on is ann. `resumed` gets what is taken up."""
    async with anyio.create_task_group() as tasks:
        bus = stage.broker.connect(HOST)
        async with open_caller(bus) as caller:
            upstream, conducting = Upstream(bus, caller), ScriptedConducting(stage, tasks)
            conducting.resumed = [] if resumed is None else resumed
            flows = Flows(bus, upstream, conducting, Voice("desk", "ann"))
            gateway = Gateway(bus, upstream, Terms(), flows)
            tasks.start_soon(gateway.tell_of_runs)
            app = application(gateway.server("podium", "1"), gateway, authorization=SPELT)
            on = listening("127.0.0.1", 0)
            async with served(app, on):
                yield f"http://127.0.0.1:{on.getsockname()[1]}{PATH}"
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("scope", ["podium:call", "podium:call:podium"])
async def test_a_decision_is_whoevers_the_token_stands_for(stage: Stage, era: ConnectMode, scope: str) -> None:
    """Not the one's at the gateway's own machine."""
    person = Person(approving)
    await waiting(stage)
    async with web(stage) as url, host(url, era, f"ada/{scope}", elicitation_callback=person) as client:
        result = await client.call_tool("wait_run", {"run": RUN})
    assert result.structured_content is not None
    assert result.structured_content["status"] == "handed_over"
    state = (await stage.conductor().resume(RUN)).state
    assert {gate.decision.by for gate in state.gates if gate.decision} == {"ada via desk"}


async def test_who_may_only_read_is_not_asked_and_decides_nothing(stage: Stage, era: ConnectMode) -> None:
    """Waiting for a run is reading it; answering its gate is not, whatever the host could ask."""
    person = Person(approving)
    request = await waiting(stage)
    async with web(stage) as url, host(url, era, "eve/podium:read", elicitation_callback=person) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        report = (await client.call_tool("wait_run", {"run": RUN})).structured_content
        assert (await client.read_resource(f"podium://runs/{RUN}/plan")).contents
    assert names == {"get_run", "wait_run"}
    assert report is not None
    assert report["status"] == "waiting"
    assert person.shown == []
    assert await gate_of(stage) == request


@pytest.mark.parametrize(
    ("scope", "taken_up"),
    [("podium:read", []), ("podium:read+podium:call:podium", ["plan"]), ("podium:call", ["plan"])],
)
async def test_waiting_has_a_run_go_on_only_for_who_may_begin_runs(
    stage: Stage, scope: str, taken_up: list[str]
) -> None:
    """A process is started for it. To read that it stands still takes none."""
    request, resumed = await waiting(stage, PLAN), list[str]()
    await decide(stage.bus, request, answer(request, "approve", by="bob", via="command"))
    async with web(stage, resumed) as url, host(url, token=f"eve/{scope}") as client:
        report = (await client.call_tool("wait_run", {"run": RUN, "timeout_s": 3})).structured_content
    assert resumed == taken_up
    assert report is not None
    assert report["status"] == ("handed_over" if taken_up else "waiting")


async def test_an_answer_to_somebody_elses_question_counts_only_from_who_may_decide(stage: Stage) -> None:
    """The sealed state of a question that was put to one is of no use to another who may only read."""
    request = await waiting(stage)
    asked: JsonObject = {"name": "wait_run", "arguments": {"run": RUN}}
    able: JsonObject = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    async with web(stage) as url:
        put = (await ask(url, "tools/call", {**asked, "_meta": able}, token="ada/podium:call")).json()["result"]
        assert put["resultType"] == "input_required"
        (question,) = put["inputRequests"]
        answer = {question: {"action": "accept", "content": {"verdict": "approve"}}}
        again: JsonObject = {**asked, "_meta": able, "inputResponses": answer, "requestState": put["requestState"]}
        taken = (await ask(url, "tools/call", again, token="eve/podium:read")).json()["result"]
        assert taken["structuredContent"]["status"] == "waiting"
        assert await gate_of(stage) == request


@pytest.mark.parametrize("tool", ["run_workflow", "decide_gate"])
async def test_who_may_only_read_neither_begins_nor_decides(stage: Stage, tool: str) -> None:
    """403, and the attempt on the record."""
    await waiting(stage)
    async with web(stage) as url:
        refused = await ask(url, "tools/call", {"name": tool, "arguments": {}}, token="eve/podium:read")
        records = (await audit(stage.bus, [])).calls
    assert refused.status_code == 403
    assert "podium:call:podium" in refused.headers["www-authenticate"]
    assert [(each.subject, each.server, each.tool, each.outcome) for each in records] == [
        ("eve", "podium", tool, "denied")
    ]


@pytest.mark.parametrize("method", ["resources/list", "resources/read", "completion/complete", "prompts/list"])
async def test_runs_are_read_with_podium_read(stage: Stage, method: str) -> None:
    """A token for one specialist's tools does not show what people had done."""
    async with web(stage) as url:
        refused = await ask(url, method, {"uri": "podium://runs"}, token="eve/podium:call:repository")
    assert refused.status_code == 403
    assert "podium:read" in refused.headers["www-authenticate"]


@asynccontextmanager
async def listening_to_runs(url: str, era: ConnectMode, scope: str) -> AsyncGenerator[anyio.Event]:
    """A host that wants to hear of runs; the event is set once it has."""
    heard = anyio.Event()

    async def on_message(message: object) -> None:
        if "resources/list_changed" in str(getattr(message, "method", "")):
            heard.set()

    async with host(url, era, f"eve/{scope}", message_handler=on_message) as client:
        async with anyio.create_task_group() as tasks:
            if era != "legacy":

                async def listen() -> None:
                    async with client.listen(resources_list_changed=True, tools_list_changed=True) as events:
                        async for _ in events:
                            heard.set()

                tasks.start_soon(listen)
            yield heard
            tasks.cancel_scope.cancel()


async def test_that_a_run_begins_is_heard_by_who_may_read_runs(stage: Stage, era: ConnectMode) -> None:
    """A token for one specialist's tools is not told."""
    async with (
        web(stage) as url,
        listening_to_runs(url, era, "podium:call:echo") as outsider,
        listening_to_runs(url, era, "podium:read") as reader,
    ):
        with anyio.fail_after(20):
            for _ in range(3):
                await stage.bus.publish("run.r-aaaa.started", b"")
                with anyio.move_on_after(0.3):
                    await outsider.wait()
            await reader.wait()
        assert not outsider.is_set()
