"""What `podium new-agent` begins with works as it is: its test passes, it is served, granted and called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from bus.caller import new_call_id, open_caller
from bus.connect import connect
from bus.errors import CallFailed
from contracts.base import Model
from contracts.config import Joining, ServerConfig
from orchestrator import house as houses
from orchestrator.cli.new_agent import new_agent
from orchestrator.house_start import HouseFailed
from tests.cli.conftest import ROOT, Podium


class CountParams(Model):
    run: str


class CountResult(Model):
    files: int


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of a fresh agent."""
    done = CliRunner().invoke(new_agent, ["line_counter", "--dir", str(tmp_path / "agents")])
    assert done.exit_code == 0, done.output
    return tmp_path / "agents"


@pytest.mark.parametrize("folder", ["", str(ROOT / "examples" / "agents")], ids=["scaffold", "doc_writer"])
def test_its_own_test_passes_where_its_author_runs_it(begun: Path, folder: str) -> None:
    """By the command that is printed, with nothing but Podium's own environment."""
    command = [sys.executable, "-m", "pytest", "--import-mode=prepend", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=folder or begun, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", ["", str(ROOT / "examples" / "agents")], ids=["scaffold", "doc_writer"])
def test_it_keeps_to_the_house_style(begun: Path, folder: str) -> None:
    """The linter and the formatter have nothing to say about what people begin with."""
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--config", str(ROOT / "pyproject.toml"), "--config", "extend-exclude = []"]
    for what in (["check", *settings, "--ignore", "D,I", "."], ["format", "--check", *settings, "."]):
        done = subprocess.run([*ruff, *what], cwd=folder or begun, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_that_is_there_is_overwritten(begun: Path) -> None:
    """A second time it says what exists, and leaves it alone."""
    (begun / "line_counter.py").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(new_agent, ["line_counter", "--dir", str(begun)])
    assert done.exit_code != 0
    assert (begun / "line_counter.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["Doc", "doc-writer", "doc__writer", "1st", "doc writer", "../x", ""])
def test_a_name_that_could_not_be_served_is_refused(tmp_path: Path, name: str) -> None:
    """It is a module's name and a server's."""
    done = CliRunner().invoke(new_agent, [name, "--dir", str(tmp_path / "agents")])
    assert done.exit_code != 0
    assert not (tmp_path / "agents").exists()


async def test_it_is_served_once_it_was_granted_what_it_needs(fresh: Podium, begun: Path) -> None:
    """Without its grant it says what it needs; with it, others call it and it calls `repository`."""
    assert fresh("up").code == 0
    joining = Joining(name="line_counter", server=ServerConfig(agent=str(begun / "line_counter.py")))
    with pytest.raises(HouseFailed, match=r"line_counter needs repository\.list"):
        async with houses.joined(fresh.state, joining):
            pass

    granted = fresh("agents", "grant", "line_counter", "repository.list")
    assert granted.code == 0, granted.err

    found = await houses.status(fresh.state)
    assert found is not None
    async with houses.joined(fresh.state, joining), houses.joined(fresh.state, Joining(name="desk")):
        approved = await anyio.to_thread.run_sync(fresh, "agents", "approve", "line_counter")
        assert approved.code == 0, approved.err
        async with connect(fresh.state, found.url, "host_desk") as bus, open_caller(bus) as caller:
            params = CountParams(run="r-none")
            with pytest.raises(CallFailed, match="run r-none has no worktree"):
                await caller.call("line_counter", "count", params, CountResult, call_id=new_call_id())
