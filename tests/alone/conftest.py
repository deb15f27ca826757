"""One specialist alone, as a host starts it: `podium serve NAME --stdio`, with a state directory of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.client import ConnectMode
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.cli.conftest import Podium, make_project
from tests.e2e.rig import adopting, below, survivors
from tests.git_project import Project

ERAS: tuple[ConnectMode, ...] = ("auto", "legacy")


@pytest.fixture(scope="package", autouse=True)
def adopted() -> Iterator[None]:
    """Whatever detaches itself is found again as a child of the tests."""
    with adopting():
        yield


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> ConnectMode:
    """A host of today, and one of before."""
    found: ConnectMode = request.param
    return found


@dataclass(frozen=True)
class Alone:
    """Serves specialists alone on one project."""

    podium: Podium
    project: Project

    def arguments(self, name: str) -> list[str]:
        """What follows `podium`."""
        return ["serve", name, "--stdio", "--repo", str(self.project.root)]

    @asynccontextmanager
    async def client(self, name: str, era: ConnectMode) -> AsyncGenerator[Client]:
        """The official client at the other end of its standard input and output."""
        command = self.podium.command(*self.arguments(name))
        server = StdioServerParameters(command=command[0], args=command[1:], env=self.podium.environment())
        async with Client(stdio_client(server), mode=era) as client:
            yield client

    def left(self) -> list[str]:
        """Folders of those that serve."""
        folder = self.podium.state / "alone"
        return os.listdir(folder) if folder.exists() else []


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    """On a small project with a bug; at the end no process of it is left, and nothing in it is changed."""
    others = below(os.getpid())
    project = make_project(tmp_path / "ein Lädchen")
    yield Alone(Podium(tmp_path / "state"), project)
    assert survivors(others) == {}


async def answered(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured result of a call that did not fail."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def children(pid: int) -> list[int]:
    """Of a process without threads."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
