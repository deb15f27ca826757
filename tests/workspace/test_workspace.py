"""The workspace writes the run's worktree, and a call executed twice takes effect once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts import diff
from contracts.base import sha256
from contracts.workspace import (
    MAX_BODY_CHARS,
    ApplyParams,
    CloseParams,
    CommitParams,
    DiffParams,
    ExportParams,
    OpenParams,
    RevertParams,
)
from servers.specialist import ToolError, tools_of
from servers.workspace import Workspace
from tests.git_project import RUN, FakeCall, Project, bring_in

BEFORE = "def add(a, b):\n    return a - b\n"
AFTER = "def add(a, b):\n    return a + b\n"
FIX = diff.make("calc.py", BEFORE, AFTER)


@dataclass
class Opened:
    """A project, the workspace of a run on it, and where the run began."""

    project: Project
    workspace: Workspace
    base: str
    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    async def apply(self, text: str, head: str | None = None) -> tuple[str, ...]:
        params = ApplyParams(run=RUN, diff=text, expected_head=head or self.base)
        return (await self.workspace.apply(params, FakeCall())).files

    async def commit(self, call: str = "1" * 32, **said: str) -> str:
        fields = {"step": "fix", "agent": "code_writer", "subject": "Fix add", **said}
        return (await self.workspace.commit(CommitParams(run=RUN, **fields), FakeCall(call))).head

    async def revert(self, commit: str) -> str:
        return (await self.workspace.revert(RevertParams(run=RUN, commit=commit), FakeCall())).head

    def git(self, *args: str) -> str:
        return self.project.git(*args, folder=self.tree)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "their project ü")
    project.commit({"calc.py": BEFORE, "crlf.txt": "a\r\nb\r\n", ".gitignore": "*.log\n", "no_end": "x"})
    return project


@pytest.fixture
async def opened(project: Project, tmp_path: Path) -> Opened:
    room, brought = bring_in(project, tmp_path / "work")
    workspace = Workspace(room)
    result = await workspace.open(OpenParams(run=RUN, base=brought.base), FakeCall())
    assert (result.branch, result.head, result.files) == (f"podium/{RUN}", brought.base, 4)
    return Opened(project, workspace, brought.base, room.work / RUN)


async def test_the_longest_text_a_commit_may_have_is_written(opened: Opened) -> None:
    """In any script: git takes it as an argument."""
    await opened.apply(FIX)
    head = await opened.commit(body="😀" * MAX_BODY_CHARS)
    assert "😀" * MAX_BODY_CHARS in opened.git("show", "-s", "--format=%b", head)


async def test_a_patch_becomes_a_commit_on_the_runs_branch(opened: Opened) -> None:
    """Applied, shown and committed with trailers; the user's checkout is as it was."""
    before = opened.project.snapshot()
    assert await opened.apply(FIX) == ("calc.py",)
    shown = await opened.workspace.diff(DiffParams(run=RUN, base=opened.base), FakeCall())
    assert diff.apply(diff.parse(shown.diff)[0], BEFORE) == AFTER
    head = await opened.commit(body="Because.\n\nPodium-Call: forged")
    assert opened.git("show", "-s", "--format=%an|%s|%(trailers:only,unfold,separator=;)", head).strip() == (
        f"Podium|Fix add|Podium-Run: {RUN};Podium-Step: fix;Podium-Agent: code_writer;Podium-Call: {'1' * 32}"
    )
    assert opened.git("symbolic-ref", "HEAD").strip() == f"refs/heads/podium/{RUN}"
    assert opened.git("status", "--porcelain") == ""
    assert opened.project.snapshot() == before


async def test_open_again_finds_the_worktree_with_what_is_in_it(opened: Opened) -> None:
    """A second execution of open keeps an applied diff and the commits."""
    await opened.apply(FIX)
    head = await opened.commit()
    again = await opened.workspace.open(OpenParams(run=RUN, base=opened.base), FakeCall())
    assert again.head == head
    with pytest.raises(ToolError, match="is open on"):
        await opened.workspace.open(OpenParams(run=RUN, base=head), FakeCall())


async def test_open_starts_over_where_an_execution_was_killed(opened: Opened) -> None:
    """Half a worktree, with git's lock files, is made whole."""
    (opened.folder / "opened").unlink()
    (opened.tree / "calc.py").unlink()
    (opened.folder / "repo.git/worktrees/tree/index.lock").touch()
    await opened.workspace.open(OpenParams(run=RUN, base=opened.base), FakeCall())
    assert (opened.tree / "calc.py").read_text() == BEFORE


async def test_a_patch_of_two_thousand_files_is_applied_whole_or_not_at_all(opened: Opened) -> None:
    """One file that does not fit, the last one, leaves every other as it was; without it all are there, and staged."""
    text = "".join(diff.make(f"pkg/m{n % 40}/file_{n}.py", None, f"VALUE = {n}\n") for n in range(2000))
    with pytest.raises(ToolError, match="does not apply"):
        await opened.apply(text + diff.make("no_end", "another", "x"))
    assert opened.git("status", "--porcelain", "--untracked-files=all", "--ignored") == ""

    assert len(await opened.apply(text)) == 2000
    head = await opened.commit()
    assert opened.git("diff", "--shortstat", opened.base, head).split(",")[0] == " 2000 files changed"
    assert (opened.tree / "pkg/m39/file_1999.py").read_text() == "VALUE = 1999\n"


async def test_an_applied_diff_is_found(opened: Opened) -> None:
    """Executed twice, apply says the same and the file changes once."""
    assert await opened.apply(FIX) == await opened.apply(FIX)
    assert (opened.tree / "calc.py").read_text() == AFTER


async def test_apply_does_over_what_a_killed_execution_began(opened: Opened) -> None:
    """Killed between two files, with temporary files and git's lock left, the second execution completes it."""
    both = FIX + diff.make("sub/new.log", None, "x\n")
    (opened.folder / "applied").write_text(f"begun {sha256(both.encode())}")
    (opened.tree / "calc.py").write_text(AFTER)
    (opened.tree / ".podium-dead.old").write_text(BEFORE)
    (opened.folder / "repo.git/worktrees/tree/index.lock").touch()
    with pytest.raises(ToolError, match="nothing is applied"):
        await opened.commit()
    assert await opened.apply(both) == ("calc.py", "sub/new.log")
    await opened.commit()
    assert sorted(opened.git("ls-files").split()) == [".gitignore", "calc.py", "crlf.txt", "no_end", "sub/new.log"]
    assert not list(opened.tree.glob(".podium*"))


async def test_a_second_diff_waits_for_the_first_to_be_committed(opened: Opened) -> None:
    """Each step is one diff against a known commit; anything else is a conflict."""
    await opened.apply(FIX)
    with pytest.raises(ToolError, match="another diff is applied") as caught:
        await opened.apply(diff.make("no_end", "x", "y"))
    assert caught.value.failure.kind == "conflict"
    head = await opened.commit()
    with pytest.raises(ToolError, match="the branch is at"):
        await opened.apply(diff.make("no_end", "x", "y"), opened.base)
    assert await opened.apply(diff.make("no_end", "x", "y"), head) == ("no_end",)


async def test_a_commit_executed_twice_is_one_commit(opened: Opened) -> None:
    """The same call finds its commit; made afresh it has the same name."""
    await opened.apply(FIX)
    head = await opened.commit()
    assert await opened.commit() == head
    assert opened.git("rev-list", "--count", f"{opened.base}..HEAD").strip() == "1"
    await opened.revert(opened.base)
    await opened.apply(FIX)
    assert await opened.commit() == head
    with pytest.raises(ToolError, match="nothing is applied"):
        await opened.commit("2" * 32)


async def test_a_refused_diff_leaves_the_tree_as_it_was(opened: Opened) -> None:
    """All of it or nothing: the good file is not written either."""
    with pytest.raises(ToolError, match="is not in the file"):
        await opened.apply(FIX + diff.make("no_end", "other", "y"))
    assert (opened.tree / "calc.py").read_text() == BEFORE
    assert await opened.apply(FIX) == ("calc.py",)


async def test_revert_goes_back_and_leaves_nothing(opened: Opened) -> None:
    """An applied diff and later commits are gone; a commit from elsewhere is refused."""
    await opened.apply(diff.make("a/b/new.log", None, "x\n"))
    assert await opened.revert(opened.base) == opened.base
    assert not (opened.tree / "a").exists()
    await opened.apply(FIX)
    await opened.commit()
    await opened.revert(opened.base)
    assert opened.git("rev-parse", "HEAD").strip() == opened.base
    assert (opened.tree / "calc.py").read_text() == BEFORE
    elsewhere = opened.git("commit-tree", "HEAD^{tree}", "-m", "elsewhere").strip()
    with pytest.raises(ToolError, match="is not on"):
        await opened.revert(elsewhere)


async def test_what_was_reverted_last_can_be_come_back_to(opened: Opened) -> None:
    """As often as one likes, also where a call is executed twice; what was discarded before it is gone for good."""
    await opened.apply(FIX)
    first = await opened.commit()
    for _ in range(2):
        await opened.revert(opened.base)
    for _ in range(2):
        assert await opened.revert(first) == first
    assert opened.git("rev-parse", f"podium/{RUN}").strip() == first
    assert (opened.tree / "calc.py").read_text() != BEFORE
    await opened.revert(opened.base)
    await opened.apply(diff.make("no_end", "x", "y"))
    await opened.commit("2" * 32)
    await opened.revert(opened.base)
    with pytest.raises(ToolError, match="is not on"):
        await opened.revert(first)


async def test_bytes_are_kept_whatever_gitattributes_say(tmp_path: Path) -> None:
    """CRLF, filters and encodings asked for by the tree convert nothing on the way in or out."""
    project = Project(tmp_path / "p")
    project.write({"crlf.txt": "a\r\nb\r\n", "lf.bat": "a\n"})
    project.commit(message="bytes")
    project.write({".gitattributes": "* text=auto eol=crlf filter=evil\n*.txt working-tree-encoding=UTF-16\n"})
    project.git("add", ".gitattributes")
    project.git("commit", "-qm", "attributes")
    room, brought = bring_in(project, tmp_path / "work")
    opened = Opened(project, Workspace(room), brought.base, room.work / RUN)
    await opened.workspace.open(OpenParams(run=RUN, base=brought.base), FakeCall())
    assert (opened.tree / "crlf.txt").read_bytes() == b"a\r\nb\r\n"
    assert (opened.tree / "lf.bat").read_bytes() == b"a\n"
    text = diff.make("crlf.txt", "a\r\nb\r\n", "a\r\nc\r\n")
    await opened.apply(text)
    await opened.commit()
    assert opened.git("cat-file", "-s", "HEAD:crlf.txt").strip() == "6"
    shown = await opened.workspace.diff(DiffParams(run=RUN, base=brought.base), FakeCall())
    assert diff.apply(diff.parse(shown.diff)[0], "a\r\nb\r\n") == "a\r\nc\r\n"


async def test_the_bundle_holds_the_branch(opened: Opened) -> None:
    """Exported twice it is the same file; without a commit there is none."""
    params = ExportParams(run=RUN, base=opened.base)
    with pytest.raises(ToolError, match="no commits"):
        await opened.workspace.export(params, FakeCall())
    await opened.apply(FIX)
    head = await opened.commit()
    first, second = await opened.workspace.export(params, FakeCall()), await opened.workspace.export(params, FakeCall())
    assert first == second
    assert (first.head, first.commits) == (head, 1)
    heads = opened.project.git("bundle", "list-heads", str(opened.folder / first.file))
    assert heads.split() == [head, f"refs/heads/podium/{RUN}"]


async def test_close_removes_everything(opened: Opened) -> None:
    """Twice is fine; afterwards the run is unknown."""
    assert (await opened.workspace.close(CloseParams(run=RUN), FakeCall())).removed
    assert not opened.folder.exists()
    assert not (await opened.workspace.close(CloseParams(run=RUN), FakeCall())).removed
    with pytest.raises(ToolError, match="has no repository"):
        await opened.apply(FIX)


async def test_hooks_of_the_copy_never_run(opened: Opened) -> None:
    """Even where somebody planted one."""
    hooks = opened.folder / "repo.git/hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {opened.folder / 'ran'}\n")
        (hooks / name).chmod(0o755)
    await opened.apply(FIX)
    await opened.commit()
    await opened.revert(opened.base)
    assert not (opened.folder / "ran").exists()


async def test_the_callers_git_variables_do_not_reach_git(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Podium started from a git hook has GIT_DIR and GIT_INDEX_FILE set."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(opened.folder / "elsewhere"))
    await opened.apply(FIX)
    assert await opened.commit()


def test_the_tools_are_the_contract(tmp_path: Path) -> None:
    """Eight tools; only diff and pack are read-only, only close and revert destroy."""
    project = Project(tmp_path / "p")
    project.commit({"a": "a"})
    specs = {tool.spec.name: tool.spec for tool in tools_of(Workspace(bring_in(project, tmp_path / "work")[0]))}
    assert sorted(specs) == ["apply", "close", "commit", "diff", "export", "open", "pack", "revert"]
    assert [name for name, spec in specs.items() if spec.read_only] == ["diff", "pack"]
    assert [name for name, spec in specs.items() if spec.destructive] == ["close", "revert"]
