"""Runs as resources, and workflows as prompts, for hosts of both eras."""

from __future__ import annotations

import json

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.client import ConnectMode
from mcp.shared.exceptions import MCPError

from contracts.bundle import Bundle
from contracts.gate_policy import HUMAN, Policy
from contracts.gateway import RunList, RunWorkflowParams, TestReport
from contracts.terms import Terms
from contracts.workflow import Plan
from orchestrator.config import load_workflow, workflows
from orchestrator.gateway.uris import PARTS, Part, parsed, uri
from orchestrator.runs import Shown
from tests.gateway.desk import at_a_desk
from tests.orchestrator.conftest import stage
from tests.orchestrator.crew import GOOD, RUN
from tests.orchestrator.stage import AUTO_ALL, Stage

__all__ = ["stage"]

PATCHES = AUTO_ALL.model_copy(update={"patches": HUMAN})


async def read(client: Client, place: str) -> tuple[str, str]:
    """Type and text of a resource."""
    (found,) = (await client.read_resource(place)).contents
    assert isinstance(found, types.TextResourceContents)
    return found.mime_type or "", found.text


async def test_every_part_of_a_run_can_be_read(stage: Stage, era: ConnectMode) -> None:
    """The run as `podium show` has it, its plan, its diff, its tests and its bundle, each of its type."""
    await stage.run()
    async with at_a_desk(stage, era) as desk:
        found = {part: await read(desk.client, uri(RUN, part)) for part in PARTS}
        listed = await read(desk.client, "podium://runs")
    assert {part: mime for part, (mime, _) in found.items() if part != "diff"} == dict.fromkeys(
        ("", "plan", "tests", "bundle"), "application/json"
    )
    assert Shown.model_validate_json(found[""][1]).state.status == "handed_over"
    assert Plan.model_validate_json(found["plan"][1]).run == RUN
    assert found["diff"] == ("text/x-diff", GOOD)
    tests = TestReport.model_validate_json(found["tests"][1])
    assert tests.comparison is not None
    assert tests.comparison.verdict == "better"
    assert Bundle.model_validate_json(found["bundle"][1]).patch.diff == GOOD
    (only,) = RunList.model_validate_json(listed[1]).runs
    assert (only.run, only.status) == (RUN, "handed_over")


async def test_what_is_proposed_can_be_read_while_it_waits(stage: Stage, era: ConnectMode) -> None:
    """The diff of the gate; what there is not yet is said to be so."""
    await stage.run(PATCHES)
    async with at_a_desk(stage, era) as desk:
        assert await read(desk.client, uri(RUN, "diff")) == ("text/x-diff", GOOD)
        assert TestReport.model_validate_json((await read(desk.client, uri(RUN, "tests")))[1]).proposals
        with pytest.raises(MCPError, match="has no bundle, or not yet"):
            await read(desk.client, uri(RUN, "bundle"))


@pytest.mark.parametrize(
    "place", ["podium://runs/r-none", f"podium://runs/{RUN}/log", "podium://runs/../x", "file:///etc/passwd", "podium:"]
)
async def test_what_is_not_there_is_not_found(stage: Stage, era: ConnectMode, place: str) -> None:
    """Whatever it is called."""
    await stage.run(PATCHES)
    async with at_a_desk(stage, era) as desk:
        with pytest.raises(MCPError, match="Resource not found") as wrong:
            await read(desk.client, place)
    assert wrong.value.error.data == {"uri": place}
    assert wrong.value.error.code == (-32002 if era == "legacy" else -32602)  # as each revision has it


async def test_runs_are_listed_templated_and_completed(stage: Stage, era: ConnectMode) -> None:
    """By name, with what was asked; a host completes the name in a template."""
    await stage.run(PATCHES)
    async with at_a_desk(stage, era) as desk:
        listed = (await desk.client.list_resources()).resources
        templates = (await desk.client.list_resource_templates()).resource_templates
        names = {
            value: (
                await desk.client.complete(
                    types.ResourceTemplateReference(uri=templates[1].uri_template), {"name": "id", "value": value}
                )
            ).completion.values
            for value in ("", "r-te", "te", "x")
        }
        other = await desk.client.complete(types.PromptReference(name="fix-bug"), {"name": "tests", "value": ""})
    assert [(one.uri, one.title) for one in listed[1:]] == [(uri(RUN), "fix-bug: y is wrong")]
    assert [one.uri_template for one in templates] == [uri("{id}", part) for part in PARTS]
    assert names == {"": [RUN], "r-te": [RUN], "te": [RUN], "x": []}
    assert other.completion.values == []


@pytest.mark.filterwarnings("ignore:resources/subscribe is removed")  # which is how a host of before listens
async def test_hosts_that_listen_are_told_when_a_run_begins_and_moves_on(stage: Stage, era: ConnectMode) -> None:
    """The list changes when a run begins; a run that is watched is updated when something of it is stored."""
    told: set[str] = set()
    news = anyio.Event()

    def hear(message: str) -> None:
        told.add(message)
        news.set()

    async def on_message(message: object) -> None:
        if method := getattr(message, "method", ""):
            hear(f"{method} {getattr(getattr(message, 'params', None), 'uri', '')}")

    async with at_a_desk(stage, era, message_handler=on_message) as desk, anyio.create_task_group() as tasks:
        if era == "legacy":
            await desk.client.subscribe_resource(uri(RUN))  # pyright: ignore[reportDeprecated] - there is no other way
        else:

            async def listen() -> None:
                subscription = desk.client.listen(resources_list_changed=True, resource_subscriptions=[uri(RUN)])
                async with subscription as events:
                    async for event in events:
                        hear(str(event))

            tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
        await stage.run(PATCHES)
        with anyio.fail_after(10):
            while not all(any(word in one for one in told) for word in ("ist", uri(RUN))):
                await news.wait()
                news = anyio.Event()
        tasks.cancel_scope.cancel()


async def test_every_workflow_is_a_prompt_that_says_how_to_run_it(stage: Stage, era: ConnectMode) -> None:
    """What the workflow must be given is required; the text holds arguments that run_workflow takes."""
    given = {"tests": "a.py::x b.py::y", "request": 'say "when"', "repo": "/repo"}
    async with at_a_desk(stage, era) as desk:
        prompts = (await desk.client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == list(workflows())
        for prompt in prompts:
            required = {one.name for one in prompt.arguments or [] if one.required}
            assert required == set(load_workflow(prompt.name).inputs)
            arguments = {one.name: given[one.name] for one in prompt.arguments or []}
            (message,) = (await desk.client.get_prompt(prompt.name, arguments)).messages
            assert isinstance(message.content, types.TextContent)
            text = message.content.text
            asked = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
            params = RunWorkflowParams.model_validate(asked)
            assert params.tests == (("a.py::x", "b.py::y") if prompt.name == "fix-bug" else ())
            assert "wait_run" in text


async def test_a_prompt_without_what_its_workflow_needs_is_refused(stage: Stage, era: ConnectMode) -> None:
    """As is one that is not there."""
    async with at_a_desk(stage, era) as desk:
        for name, said in (("fix-bug", "fix-bug needs tests"), ("nothing", "there is no prompt nothing")):
            with pytest.raises(MCPError, match=said):
                await desk.client.get_prompt(name, {"request": "x"})


async def test_a_read_only_host_reads_runs_and_is_offered_no_prompt(stage: Stage, era: ConnectMode) -> None:
    """Prompts start runs."""
    await stage.run(Policy())
    async with at_a_desk(stage, era, terms=Terms(read_only=True)) as desk:
        assert (await read(desk.client, uri(RUN, "plan")))[0] == "application/json"
        assert desk.client.server_capabilities.prompts is None


@pytest.mark.parametrize("part", PARTS)
def test_a_uri_tells_run_and_part(part: Part) -> None:
    """`parsed` undoes `uri`."""
    assert parsed(uri("r-abcd", part)) == ("r-abcd", part)
