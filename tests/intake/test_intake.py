"""A person's repository is brought in and handed a branch, and is otherwise as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts import diff
from contracts.workspace import ApplyParams, CloseParams, CommitParams, ExportParams, OpenParams
from orchestrator.handover import HandoverError, deliver
from orchestrator.intake import IntakeError, find_python, intake
from servers.workspace import Workspace
from tests.git_project import RUN, FakeCall, Project, bring_in

CALL = FakeCall()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "their ü\nproject %41")
    project.commit({"a.py": "a\n", "d/b.py": "b\n"}, "one")
    return project


async def test_a_run_from_intake_to_handover_adds_one_branch_and_nothing_else(project: Project, tmp_path: Path) -> None:
    """Every file of the checkout and of .git is the same, but objects and the new branch."""
    project.git("branch", "other")
    project.git("tag", "v1")
    project.write({"dirty.txt": "x", "a.py": "changed\n"})
    project.git("add", "a.py")
    for name in ("reference-transaction", "post-checkout", "pre-push", "post-update"):
        hook = project.root / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
        hook.chmod(0o755)
    project.git("config", "core.fsmonitor", f"touch {tmp_path}/ran")
    before, status = project.snapshot(), project.git("-c", "core.fsmonitor=false", "status", "--porcelain")
    room, brought = bring_in(project, tmp_path / "work")
    assert brought.dirty == ("a.py", "dirty.txt")
    workspace = Workspace(room)
    await workspace.open(OpenParams(run=RUN, base=brought.base), CALL)
    assert (room.tree(RUN) / "a.py").read_text() == "a\n"
    text = diff.make("a.py", "a\n", "A\n")
    await workspace.apply(ApplyParams(run=RUN, diff=text, expected_head=brought.base), CALL)
    head = (await workspace.commit(CommitParams(run=RUN, step="s", agent="a", subject="Fix"), CALL)).head
    exported = await workspace.export(ExportParams(run=RUN, base=brought.base), CALL)
    bundle = room.work / RUN / exported.file
    for _ in range(2):
        assert deliver(project.root, bundle, RUN, brought.base, head) == f"podium/{RUN}"
        assert project.snapshot() == before
    assert not (tmp_path / "ran").exists()
    assert project.git("-c", "core.fsmonitor=false", "status", "--porcelain") == status
    refs = project.git("for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/heads/main", "refs/heads/other", f"refs/heads/podium/{RUN}", "refs/tags/v1"]
    assert project.git("show", f"podium/{RUN}:a.py") == "A\n"
    project.git("fsck", "--strict")


async def exported(project: Project, work: Path) -> tuple[Path, str, str]:
    """Bundle, base and head of a finished run."""
    room, brought = bring_in(project, work)
    workspace = Workspace(room)
    await workspace.open(OpenParams(run=RUN, base=brought.base), CALL)
    text = diff.make("new.py", None, "x\n")
    await workspace.apply(ApplyParams(run=RUN, diff=text, expected_head=brought.base), CALL)
    head = (await workspace.commit(CommitParams(run=RUN, step="s", agent="a", subject="Fix"), CALL)).head
    file = (await workspace.export(ExportParams(run=RUN, base=brought.base), CALL)).file
    return room.work / RUN / file, brought.base, head


async def test_an_existing_branch_is_never_moved(project: Project, tmp_path: Path) -> None:
    """Not even forward."""
    bundle, base, head = await exported(project, tmp_path / "work")
    project.git("branch", f"podium/{RUN}")
    with pytest.raises(HandoverError, match="exists at"):
        deliver(project.root, bundle, RUN, base, head)
    assert project.git("rev-parse", f"podium/{RUN}").strip() == base


async def test_a_bundle_must_hold_what_was_approved(project: Project, tmp_path: Path) -> None:
    """Another head, another base or no bundle at all creates no branch."""
    bundle, base, head = await exported(project, tmp_path / "work")
    unrelated = project.git("commit-tree", "-m", "x", f"{base}^{{tree}}").strip()
    broken = tmp_path / "broken.bundle"
    broken.write_bytes(bundle.read_bytes()[:-30])
    for file, from_base, to_head, error in (
        (broken, base, head, IntakeError),
        (tmp_path / "none", base, head, IntakeError),
        (bundle, base, base, HandoverError),
        (bundle, unrelated, head, HandoverError),
        (bundle, "1" * 40, head, HandoverError),
    ):
        with pytest.raises(error):
            deliver(project.root, file, RUN, from_base, to_head)
    assert project.git("branch", "--list", "podium/*") == ""


async def test_the_copy_shares_nothing_with_the_users_repository(project: Project, tmp_path: Path) -> None:
    """No hard link, no alternate, no remote."""
    room, _ = bring_in(project, tmp_path / "work")
    copy = room.work / RUN / "repo.git"
    assert all(path.stat().st_nlink == 1 for path in copy.rglob("*") if path.is_file())
    assert not (copy / "objects/info/alternates").exists()
    assert str(project.root) not in (copy / "config").read_text()


def test_intake_again_finds_what_it_brought(project: Project, tmp_path: Path) -> None:
    """Killed half way it starts over; on another base it is another run."""
    half = tmp_path / "work" / RUN / "repo.git.new"
    half.mkdir(parents=True)
    (half / "config").write_text("half")
    first = intake(project.root, RUN, tmp_path / "work")
    assert not half.exists()
    assert intake(project.root / "d", RUN, tmp_path / "work") == first
    project.commit({"c": "c"})
    with pytest.raises(IntakeError, match="was started from"):
        intake(project.root, RUN, tmp_path / "work")
    assert intake(project.root, RUN, tmp_path / "work", first.base) == first


def test_a_worktree_a_shallow_clone_and_a_detached_head_are_fine(project: Project, tmp_path: Path) -> None:
    """Whatever kind of checkout it is."""
    project.commit({"c": "c"}, "two")
    project.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    project.git("clone", "-q", "--depth=1", project.root.as_uri(), str(tmp_path / "shallow"))
    project.git("checkout", "-q", "--detach", "HEAD~1")
    side = intake(tmp_path / "side", "r-side", tmp_path / "work")
    assert (side.root, side.shallow) == (tmp_path / "side", False)
    shallow = intake(tmp_path / "shallow", "r-shallow", tmp_path / "work")
    assert (shallow.shallow, shallow.base) == (True, side.base)
    assert intake(project.root, "r-detached", tmp_path / "work").base != side.base


def test_submodules_are_left_out_and_named(project: Project, tmp_path: Path) -> None:
    """Their content is not part of the run."""
    other = Project(tmp_path / "other")
    other.commit({"x": "x"})
    project.git("submodule", "--quiet", "add", str(other.root), "vendor/ü mod")
    project.commit(message="submodule")
    assert intake(project.root, RUN, tmp_path / "work").submodules == ("vendor/ü mod",)


def test_what_cannot_be_worked_on_says_the_way_out(project: Project, tmp_path: Path) -> None:
    """Each kind of bad input has its message."""
    (tmp_path / "plain").mkdir()
    Project(tmp_path / "empty")
    Project(tmp_path / "bare", "--bare")
    for repo, base, message in (
        (tmp_path / "missing", "HEAD", "is not a folder"),
        (project.root / "a.py", "HEAD", "is not a folder"),
        (tmp_path / "plain", "HEAD", "is not in a git repository"),
        (tmp_path / "bare", "HEAD", "bare repository"),
        (project.root / ".git", "HEAD", "inside .git"),
        (tmp_path / "empty", "HEAD", "no commits yet"),
        (project.root, "nonsense", "no commit 'nonsense'"),
        (project.root, "--all", "no commit '--all'"),
        (project.root, "HEAD:a.py", "no commit 'HEAD:a.py'"),
    ):
        with pytest.raises(IntakeError, match=message) as caught:
            intake(repo, RUN, tmp_path / "work", base)
        assert caught.value.way_out
    assert not (tmp_path / "work" / RUN / "repo.git").exists()


def test_a_missing_git_is_said(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything else is tried."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(IntakeError, match="git is not installed"):
        intake(project.root, RUN, tmp_path / "work")


def test_somebody_elses_repository_needs_the_users_trust(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git's own rule (safe.directory) holds, under the user's own settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    # git compares the owner with its own uid; as root, SUDO_UID counts as well, so the owner must be a third.
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    wrapper.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    with pytest.raises(IntakeError, match="belongs to somebody else") as caught:
        intake(project.root, RUN, tmp_path / "work")
    assert "safe.directory" in caught.value.way_out
    (tmp_path / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    assert intake(project.root, RUN, tmp_path / "work").branch == f"podium/{RUN}"


def test_the_callers_git_variables_do_not_redirect_the_intake(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started from a git hook of another repository, it is this one that is brought in."""
    other = Project(tmp_path / "other")
    other.commit({"x": "x"})
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
    assert intake(project.root, RUN, tmp_path / "work").root == project.root


def test_the_projects_interpreter_is_found(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """podium.toml first, then .venv, venv and the active environment; links stay links."""

    def environment(folder: Path) -> Path:
        python = folder / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        return python

    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert find_python(project.root) is None
    active = environment(tmp_path / "active")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    assert find_python(project.root) == active
    plain = environment(project.root / "venv")
    assert find_python(project.root) == plain
    hidden = environment(project.root / ".venv")
    assert find_python(project.root) == hidden
    named = environment(project.root / "env/named")
    project.write({"podium.toml": "[test]\npython = 'env/named/bin/python'\n"})
    assert find_python(project.root) == named
    for broken in ("[test", "[test]\npython = 3\n", "test = 3\n", "[test]\npython = 'none'\n", b"\xff"):
        project.write({"podium.toml": broken})
        with pytest.raises(IntakeError, match=r"podium\.toml"):
            find_python(project.root)


INI, TOML, CFG = "[pytest]\n", "[tool.pytest.ini_options]\n", "[tool:pytest]\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, "pytest.ini"),
        ({"tox.ini": INI}, "tox.ini"),
        ({"tox.ini": "[tox]\n", "setup.cfg": CFG}, "setup.cfg"),
        ({"tox.ini": INI, "setup.cfg": CFG, "pyproject.toml": TOML}, "pyproject.toml"),
        ({"tox.ini": INI, "pyproject.toml": "[project]\nname = 'a'\n"}, "tox.ini"),
        ({"pyproject.toml": "[tool\n"}, "pyproject.toml"),
        ({"pyproject.toml": TOML, ".pytest.ini": ""}, ".pytest.ini"),
        ({".pytest.ini": INI, "pytest.ini": INI}, "pytest.ini"),
        ({"pytest.ini": INI, "pytest.toml": ""}, "pytest.toml"),
        ({"sub/pytest.ini": INI}, "pytest.ini"),
    ],
)
def test_what_configures_pytest_is_the_commits(
    project: Project, tmp_path: Path, files: dict[str, str], found: str
) -> None:
    """The file pytest would take, as it was committed; an empty one where there is none."""
    project.commit(files | {"z": "z"})
    project.write(dict.fromkeys(files, "changed since"))
    config = intake(project.root, RUN, tmp_path / "work").pytest
    assert (config.name, config.text) == (found, files.get(found, ""))


@pytest.mark.parametrize(
    ("to", "text"), [("conf/my.ini", INI), ("../x.ini", ""), ("/etc/passwd", ""), ("setup.cfg", "")]
)
def test_settings_that_are_a_link_are_read_where_it_leads(project: Project, tmp_path: Path, to: str, text: str) -> None:
    """Within the commit; what leads out of it, or in a circle, is not followed."""
    project.write({"conf/my.ini": INI})
    (project.root / "setup.cfg").symlink_to("pytest.ini")
    (project.root / "pytest.ini").symlink_to(to)
    project.commit({})
    config = intake(project.root, RUN, tmp_path / "work").pytest
    assert (config.name, config.text) == ("pytest.ini", text)


async def test_many_files_are_brought_in_and_opened(tmp_path: Path) -> None:
    """A large tree is copied, checked out and listed whole."""
    project = Project(tmp_path / "large")
    names = "".join(f"M 100644 inline d{number % 100}/f{number}\ndata 1\nx\n" for number in range(5_000))
    project.git("fast-import", "--quiet", stdin=f"commit refs/heads/main\ncommitter a <b> 1 +0000\ndata 1\nx\n{names}")
    room, brought = bring_in(project, tmp_path / "work")
    result = await Workspace(room).open(OpenParams(run=RUN, base=brought.base), CALL)
    assert result.files == 5_000
    assert len(brought.dirty) == 5_000  # nothing of it is in the user's checkout
    await Workspace(room).close(CloseParams(run=RUN), CALL)
