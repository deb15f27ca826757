"""Snapshots show a checkout as it is, never change, and cost little where little has changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from contracts.run_settings import RunSettings
from servers.alone.snapshots import Album, Checkout, CheckoutUnreadable, settled
from tests.git_project import Project

FILES = {"a.py": "a\n", "folder/b.py": "b\n", ".gitignore": "ignored\n"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "p")
    project.commit(FILES)
    return project


class Taker:
    """Takes snapshots of a project."""

    def __init__(self, project: Project, work: Path, ignore_file: Path | None = None) -> None:
        self.work = work
        self.album = Album(Checkout(project.root, RunSettings(python="/usr/bin/python3"), ignore_file), work)

    def tree(self) -> Path:
        """The tree of the checkout as it is now."""
        return self.work / self.album.take().run / "tree"

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.work.glob("r-*"))


@pytest.fixture
def taker(project: Project, tmp_path: Path) -> Taker:
    return Taker(project, tmp_path / "work")


def shown(tree: Path) -> dict[str, str]:
    """Every file of a tree, and where links lead."""
    return {
        str(path.relative_to(tree)): f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text()
        for path in sorted(tree.rglob("*"))
        if (path.is_file() or path.is_symlink()) and path.name != ".git"
    }


def listed(tree: Path) -> list[str]:
    """What git tracks in a tree."""
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(tree), "ls-files"], check=True, capture_output=True, text=True
    ).stdout.split()


def test_it_shows_what_is_there_committed_or_not(project: Project, taker: Taker) -> None:
    """Edits, new files, deletions and links count; ignored files and other repositories below do not."""
    project.write({"a.py": "edited\n", "new.py": "new\n", "ignored": "x"})
    (project.root / "folder/b.py").unlink()
    (project.root / "link").symlink_to("/etc/passwd")
    Project(project.root / "inner").commit({"theirs.py": ""})
    tree = taker.tree()
    assert shown(tree) == {
        ".gitignore": "ignored\n",
        "a.py": "edited\n",
        "link": "-> /etc/passwd",
        "new.py": "new\n",
    }
    assert listed(tree) == [".gitignore", "a.py", "link", "new.py"]
    assert (tree.parent / "settings.json").read_bytes() == RunSettings(python="/usr/bin/python3").canonical()


def test_a_snapshot_stays_as_it_is_while_it_is_in_use(project: Project, taker: Taker) -> None:
    """A call that works on it does not see an edit that comes meanwhile; afterwards it is gone."""
    before = taker.album.take()
    project.write({"a.py": "edited\n"})
    after = taker.album.take()
    taker.album.keep([before.run])
    assert shown(taker.work / before.run / "tree") == FILES
    assert shown(taker.work / after.run / "tree") == {**FILES, "a.py": "edited\n"}
    taker.album.keep([])
    assert taker.kept() == [after.run]


def test_edits_of_the_same_size_in_quick_succession_are_seen(project: Project, taker: Taker) -> None:
    """Each call sees the last one."""
    for number in range(20):
        project.write({"a.py": f"{number:02}\n"})
        assert shown(taker.tree())["a.py"] == f"{number:02}\n"


def test_the_times_of_what_was_written_a_moment_ago_are_not_relied_on() -> None:
    """Within one tick of the clock a second edit has the same times as the first; kernels differ in how long one is."""
    second = 10**9
    files = {"old": (0, 1, 2, second, second), "new": (0, 1, 2, second, 5 * second), "future": (0, 1, 2, 9 * second, 0)}
    assert settled(files, 5 * second) == {"old"}


def test_a_commit_is_followed_also_to_another_history(project: Project, taker: Taker) -> None:
    """Commits, and branches that have nothing to do with one another."""
    taker.tree()
    second = project.commit({"c.py": "c\n"}, "second")
    assert taker.album.take().commit == second
    project.git("checkout", "-q", "--orphan", "other")
    third = project.commit(message="third")
    snapshot = taker.album.take()
    assert snapshot.commit == third
    tree = taker.work / snapshot.run / "tree"
    log = subprocess.run(["git", "-C", str(tree), "log", "--format=%s"], check=True, capture_output=True, text=True)
    assert log.stdout.split() == ["third"]


def test_what_this_person_has_git_ignore_everywhere_stays_behind(project: Project, tmp_path: Path) -> None:
    """A virtual environment that only the person's own settings ignore is not copied."""
    (tmp_path / "ignore").write_text(".venv\n")
    project.write({".venv/big.py": "", "new.py": ""})
    taker = Taker(project, tmp_path / "work", tmp_path / "ignore")
    assert listed(taker.tree()) == [".gitignore", "a.py", "folder/b.py", "new.py"]


def test_nothing_is_read_through_a_link(project: Project, tmp_path: Path, taker: Taker) -> None:
    """A folder that was replaced by a link to elsewhere does not bring elsewhere's files in."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.py").write_text("secret\n")
    (project.root / "folder/b.py").unlink()
    (project.root / "folder").rmdir()
    (project.root / "folder").symlink_to(tmp_path / "elsewhere")
    assert shown(taker.tree()) == {".gitignore": "ignored\n", "a.py": "a\n", "folder": f"-> {tmp_path / 'elsewhere'}"}


def test_files_that_did_not_change_are_not_copied_again(project: Project, taker: Taker) -> None:
    """Among snapshots they are the same file; never one of the checkout's."""
    first = taker.tree()
    while taker.album.take() != (now := taker.album.take()):
        continue
    before = taker.work / now.run / "tree"
    project.write({"new.py": "new\n"})
    after = taker.tree()
    assert first != after != before
    assert (after / "a.py").samefile(before / "a.py")
    assert not (after / "a.py").samefile(project.root / "a.py")


def test_a_checkout_that_cannot_be_read_is_an_error_that_can_pass(project: Project, taker: Taker) -> None:
    """Said in git's words; the next call may find it well again."""
    taker.tree()
    (project.root / ".git").rename(project.root / "git")
    with pytest.raises(CheckoutUnreadable, match="not a git repository"):
        taker.tree()
    (project.root / "git").rename(project.root / ".git")
    assert shown(taker.tree()) == FILES
