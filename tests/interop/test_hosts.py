"""Hosts that are not ours, in either era, list and call tools: of the crew, and of one specialist alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.intake import intake
from tests.cli.conftest import Podium, kept, make_project
from tests.git_project import RUN, Project
from tests.interop.hosts import Era, Host, Server, hosts

__all__ = ["kept"]

ERAS: tuple[Era, ...] = ("legacy", "modern")
HOSTS = ("TypeScript SDK", "Inspector")


@pytest.fixture(scope="module")
def known() -> dict[str, Host]:
    """Installed once."""
    return hosts()


@pytest.fixture(params=HOSTS)
def host(known: dict[str, Host], request: pytest.FixtureRequest) -> Host:
    return known[request.param]


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    found: Era = request.param
    return found


def serving(podium: Podium, *arguments: str) -> Server:
    variables = ("PATH", "PYTHONPATH", "PODIUM_STATE_DIR", "PODIUM_CREW")
    env = podium.environment()
    return Server(podium.command(*arguments), {name: env[name] for name in variables})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def base(kept: Podium, project: Project) -> str:
    """The commit of a run that was taken in and waits for its worktree."""
    return intake(project.root, RUN, kept.state / "work").base


def by_name(tools: list[Any]) -> dict[str, Any]:
    return {tool["name"]: tool for tool in tools}


def failure_of(result: Any) -> str:
    """What kind of failure a result tells of, in words for a model and apart from them for a program."""
    failure = result["_meta"]["io.podium/failure"]
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith(failure["message"])
    return failure["kind"]


def test_the_crews_tools_are_listed_and_called(kept: Podium, base: str, host: Host, era: Era) -> None:
    """Through `podium mcp`: what a call does is there for the next one, at another specialist."""
    server = serving(kept, "mcp", "--only", "workspace,repository")
    opening = ("workspace__open", {"run": RUN, "base": base})
    listing, failing = ("repository__list", {"run": RUN}), ("repository__list", {"run": "r-none1"})
    tools, (opened, listed, failed) = host.ask(server, era, opening, listing, failing)
    assert {"repository__list", "repository__read", "workspace__open"} <= by_name(tools).keys()
    assert by_name(tools)["repository__list"]["annotations"]["readOnlyHint"] is True
    assert opened["structuredContent"]["head"] == base
    paths = [file["path"] for file in listed["structuredContent"]["files"]]
    assert paths == ["pyproject.toml", "stock.py", "tests/test_stock.py"]
    assert failure_of(failed) == "not_found"


def test_one_specialists_tools_are_listed_and_called(tmp_path: Path, project: Project, host: Host, era: Era) -> None:
    """Through `podium serve NAME --stdio`."""
    server = serving(Podium(tmp_path / "state"), "serve", "repository", "--stdio", "--repo", str(project.root))
    tools, (read, refused) = host.ask(
        server, era, ("read", {"path": "pyproject.toml"}), ("read", {"path": "../outside"})
    )
    assert sorted(by_name(tools)) == ["history", "list", "map", "outline", "read", "search", "similar"]
    assert by_name(tools)["read"]["inputSchema"]["required"] == ["path"]
    assert read["structuredContent"]["text"].startswith("[tool.pytest")
    assert refused["isError"] is True
    assert failure_of(refused) == "invalid"
