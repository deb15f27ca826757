"""A whole run from an MCP host: real processes, a real repository, and a person who is asked in the host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.client import ConnectMode
from mcp_types import Tool

from contracts.terms import Terms
from orchestrator.cli.mcp_gateway import offered
from tests.cli.conftest import ROOT, TEST, Podium
from tests.e2e.rig import LIMIT_S
from tests.gateway.conftest import ERAS
from tests.gateway.desk import Person, approving
from tests.git_project import Project


@asynccontextmanager
async def hosted(
    podium: Podium,
    monkeypatch: pytest.MonkeyPatch,
    era: ConnectMode,
    person: Person | None = None,
    terms: Terms | None = None,
) -> AsyncGenerator[Client]:
    """A host's client at a gateway as `podium mcp` makes it."""
    for name, value in podium.environment().items():
        monkeypatch.setenv(name, value)
    async with offered("desk", terms or Terms(), as_is=False) as (server, _):
        async with Client(server, mode=era, elicitation_callback=person, cache=None) as client:
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def task(project: Project) -> dict[str, Any]:
    return {"workflow": "fix-bug", "repo": str(project.root), "tests": [TEST], "engine": "search"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_bug_is_fixed_from_a_host_with_every_gate_asked_there(
    kept: Podium, project: Project, monkeypatch: pytest.MonkeyPatch, era: ConnectMode
) -> None:
    """The person approves plan, patches and handover in the host; the branch stands in their repository."""
    before = project.snapshot()
    person = Person(approving)
    async with hosted(kept, monkeypatch, era, person) as client:
        run = (await call(client, "run_workflow", **task(project), request="the last one cannot be sold"))["run"]
        report = await call(client, "wait_run", run=run, timeout_s=LIMIT_S)
        diff = await client.read_resource(f"podium://runs/{run}/diff")

    assert (report["status"], report["branch"]) == ("handed_over", f"podium/{run}")
    assert project.git("show", f"podium/{run}:stock.py").count("wanted <= self.pieces") == 1
    assert project.snapshot() == before
    assert "wanted <= self.pieces" in str(diff.contents)
    assert [f"Gate {number}" in one.message for number, one in enumerate(person.shown, 1)] == [True] * 3
    assert "wanted <= self.pieces" in person.shown[1].message
    state = kept("show", run, "--json").document["state"]
    assert state["task"]["by"].endswith(" via desk")
    assert [(gate["decision"]["via"], gate["decision"]["by"]) for gate in state["gates"]] == [
        ("host", state["task"]["by"])
    ] * 3


async def test_a_run_outlives_the_host_that_began_it(
    kept: Podium, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is killed; the run goes on to its gate, where another host finds it and says what waits."""
    run = _begun_and_left_alone(kept, project)
    async with hosted(kept, monkeypatch, "auto") as client:
        report = await call(client, "wait_run", run=run, timeout_s=LIMIT_S)
        assert (report["status"], report["gate"]["kind"]) == ("waiting", "plan")
        assert f"podium approve {run}" in report["next"]
    assert kept("abort", run).code == 0


async def test_a_run_that_cannot_begin_is_not_promised(
    kept: Podium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host hears what the command would have said, and the way out."""
    async with hosted(kept, monkeypatch, "auto") as client:
        asked = {"workflow": "fix-bug", "repo": str(tmp_path), "tests": ["--auto=all"]}
        result = await client.call_tool("run_workflow", asked)
    assert result.is_error
    assert result.meta is not None
    failure = result.meta["io.podium/failure"]
    assert (failure["kind"], "is not in a git repository" in failure["message"]) == ("invalid", True)
    assert "git init" in failure["way_out"]


async def test_a_read_only_host_of_the_whole_crew_changes_nothing_by_any_name(
    kept: Podium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is not offered is refused all the same, each attempt on the ledger; the server with the key, too."""
    async with hosted(kept, monkeypatch, "auto") as client:
        changing = {one.name for one in (await client.list_tools()).tools if not reads_only(one)}
    changing.add("model__complete")
    async with hosted(kept, monkeypatch, "auto", terms=Terms(read_only=True)) as client:
        offered_to_it = (await client.list_tools()).tools
        refused = {name: await client.call_tool(name, {}) for name in sorted(changing)}

    assert {"repository__read", "static_analyzer__check", "get_run"} <= {one.name for one in offered_to_it}
    assert all(map(reads_only, offered_to_it))
    assert {"workspace__apply", "workspace__commit", "run_workflow", "decide_gate"} <= changing
    assert all(result.is_error for result in refused.values())
    calls = kept("audit", "log", "--kind", "call,denial", "--json").document
    mine = [call for call in calls if call["caller"] == "host_desk" and call["failure"]]
    denied = {call["tool"] for call in mine if call["failure"]["kind"] == "denied"}
    assert {name.rpartition("__")[2] for name in changing} <= denied


def reads_only(tool: Tool) -> bool:
    return tool.annotations is not None and tool.annotations.read_only_hint is True


def _begun_and_left_alone(podium: Podium, project: Project) -> str:
    """A run that a host began over its pipes, and was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", "mcp", "--host", "desk"],
        cwd=ROOT,
        env=podium.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        run = _begun(host, project)
        host.kill()
    return run


def _begun(host: subprocess.Popen[str], project: Project) -> str:
    assert host.stdin is not None
    assert host.stdout is not None
    about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "desk", "version": "1"}}
    for message in (
        {"id": 1, "method": "initialize", "params": about},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "run_workflow", "arguments": task(project)}},
    ):
        host.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        host.stdin.flush()
    answer = next(found for line in host.stdout if (found := json.loads(line)).get("id") == 2)
    return str(answer["result"]["structuredContent"]["run"])
