"""An agent of a person's own does a workflow's work: planned by nobody, checked and handed over like any other."""

from __future__ import annotations

from functools import partial

import anyio

from contracts.config import ServerConfig
from tests.bridge.rig import joined
from tests.cli.conftest import ROOT, Podium
from tests.git_project import Project

DOC_WRITER = ServerConfig(
    agent=str(ROOT / "examples" / "agents" / "doc_writer.py"), calls=("repository.list", "repository.read")
)


async def test_a_page_is_written_and_handed_over(fresh: Podium, project: Project) -> None:
    """The branch has the page, committed in the agent's name, and the suite was run with it."""
    assert fresh("up").code == 0
    async with joined(fresh, "doc_writer", DOC_WRITER):
        wanted = ("run", "write-docs", "--repo", str(project.root), "list it", "--auto", "all", "--json")
        done = await anyio.to_thread.run_sync(partial(fresh, *wanted, "--consent-weak"))
    assert done.code == 0, done.out + done.err
    branch = done.document["state"]["branch"]
    page = project.git("show", f"{branch}:docs/api.md")
    assert "## stock.py" in page
    assert "What is on the shelf." in page
    assert "doc_writer" in project.git("log", "-1", "--format=%B%an", branch)
    risks = done.document["bundle"]["risks"]
    assert any(risk.startswith("An agent wrote it") for risk in risks)
    assert not any("model" in risk for risk in risks), "no model was asked"


def test_a_workflow_without_its_agent_says_how_it_joins(fresh: Podium, project: Project) -> None:
    """Nothing is begun."""
    done = fresh("run", "write-docs", "--repo", str(project.root), "list it", "--auto", "all", "--consent-weak")
    assert done.code == 1
    assert "doc_writer.write" in done.err
    assert "podium serve" in done.err
