"""The worktree as a pack: all of the tree as it is now, less what whoever asks has already."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from contracts import diff
from contracts.run_settings import RunSettings
from contracts.workspace import ApplyParams, OpenParams, PackParams, PackResult
from servers import packing
from servers.specialist import ToolError
from servers.workspace import Workspace
from tests.git_project import RUN, FakeCall, Project, bring_in

BEFORE = "def add(a, b):\n    return a - b\n"
FIX = diff.make("calc.py", BEFORE, BEFORE.replace("-", "+"))
UNKNOWN = "1" * 40


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "theirs")
    made.commit({"calc.py": BEFORE, "deep/er/ü.txt": "x", **{f"many/{n}": f"{n}\n" for n in range(50)}})
    return made


@pytest.fixture
async def workspace(project: Project, tmp_path: Path) -> Workspace:
    room, brought = bring_in(project, tmp_path / "work")
    opened = Workspace(room)
    await opened.open(OpenParams(run=RUN, base=brought.base), FakeCall())
    return opened


async def ask(workspace: Workspace, *have: str) -> PackResult:
    return await workspace.pack(PackParams(run=RUN, have=have), FakeCall())


def objects(into: Project, packed: PackResult) -> int:
    """How many objects a pack brought into a repository."""
    if not packed.pack:
        return 0
    command = ["git", "unpack-objects", "-q"]
    data = base64.b64decode(packed.pack)
    subprocess.run(command, cwd=into.root, input=data, check=True)
    return int.from_bytes(data[8:12])


async def test_what_is_applied_comes_along_before_it_is_committed(
    workspace: Workspace, project: Project, tmp_path: Path
) -> None:
    """A repository that had nothing has every file of the worktree."""
    head = project.git("rev-parse", "HEAD").strip()
    await workspace.apply(ApplyParams(run=RUN, diff=FIX, expected_head=head), FakeCall())
    packed, theirs = await ask(workspace), Project(tmp_path / "there")
    assert objects(theirs, packed) > 50
    assert theirs.git("show", f"{packed.tree}:calc.py") == BEFORE.replace("-", "+")
    assert len(theirs.git("ls-tree", "-r", "--name-only", packed.tree).splitlines()) == 52


async def test_what_is_there_already_is_not_sent_again(workspace: Workspace, project: Project, tmp_path: Path) -> None:
    """Of a change one file and the folders above it; of no change nothing. Who names unknown trees gets all."""
    first, theirs = await ask(workspace), Project(tmp_path / "there")
    everything = objects(theirs, first)
    assert objects(theirs, await ask(workspace, UNKNOWN)) == everything
    head = project.git("rev-parse", "HEAD").strip()
    await workspace.apply(ApplyParams(run=RUN, diff=FIX, expected_head=head), FakeCall())
    second = await ask(workspace, UNKNOWN, first.tree)
    assert objects(theirs, second) == 2
    assert theirs.git("show", f"{second.tree}:calc.py") == BEFORE.replace("-", "+")
    assert await ask(workspace, second.tree) == second.model_copy(update={"pack": ""})


async def test_how_the_tests_run_comes_along(workspace: Workspace, tmp_path: Path) -> None:
    """As intake wrote it down."""
    assert (await ask(workspace)).settings == RunSettings()
    settled = RunSettings(test_command=("make", "check"), junit="out.xml")
    (tmp_path / "work" / RUN / "settings.json").write_text(settled.model_dump_json())
    assert (await ask(workspace)).settings == settled


async def test_a_tree_that_is_too_large_is_refused_with_a_way_out(workspace: Workspace, tmp_path: Path) -> None:
    """And nothing of it is left in the run's folder."""
    tree, folder = (await ask(workspace)).tree, tmp_path / "work" / RUN
    with pytest.raises(ToolError, match="at most 100 are sent") as refused:
        packing.pack(folder / "repo.git", tree, (), folder / "packing", most=100)
    assert (refused.value.failure.kind, "Stop the replica" in refused.value.failure.way_out) == ("limit", True)
    assert not (folder / "packing").exists()


async def test_a_run_without_a_worktree_has_nothing_to_pack(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    project.commit({"a": "a"})
    room, _ = bring_in(project, tmp_path / "work")
    with pytest.raises(ToolError, match="no worktree"):
        await ask(Workspace(room))
