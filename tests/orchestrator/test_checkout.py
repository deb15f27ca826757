"""The person's repository, taken in and handed a branch, over a real git."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.config import TestConfig
from contracts.run_settings import PytestConfig, RunSettings
from contracts.task import Task
from orchestrator.checkout import GitCheckout
from orchestrator.errors import CouldNot
from tests.git_project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "repo")
    made.commit({"a.py": "x = 1\n"})
    return made


def task(project: Project) -> Task:
    return Task(run="r-test1", workflow="fix-bug", repo=str(project.root))


async def test_a_repository_is_taken_in_with_its_settings(project: Project, tmp_path: Path) -> None:
    """The run's folder gets a copy and how tests are started; uncommitted changes are said to stay behind."""
    project.write({"a.py": "x = 2\n", "pytest.ini": "[pytest]\naddopts = -x\n"})
    checkout = GitCheckout(tmp_path / "work", TestConfig(command=("make", "check"), junit="out.xml"))
    taken = await checkout.take_in(task(project))
    assert taken.base == project.git("rev-parse", "HEAD").strip()
    assert "a.py" in taken.notes[0]
    settings = RunSettings.model_validate_json((tmp_path / "work/r-test1/settings.json").read_bytes())
    assert (settings.test_command, settings.junit) == (("make", "check"), "out.xml")
    assert settings.pytest == PytestConfig(name="pytest.ini", text=""), "what is not committed does not count"
    assert await checkout.take_in(task(project)) == taken


async def test_what_is_no_repository_could_not_be_taken_in(tmp_path: Path) -> None:
    """The error is one that ends a run with its way out."""
    with pytest.raises(CouldNot) as caught:
        await GitCheckout(tmp_path / "work", TestConfig()).take_in(
            Task(run="r-test1", workflow="fix-bug", repo=str(tmp_path))
        )
    assert caught.value.way_out


def bundled(project: Project, folder: Path) -> tuple[Path, str, str]:
    """A bundle of a run's branch, which is not in the repository; its base and its head."""
    base = project.git("rev-parse", "HEAD").strip()
    project.git("checkout", "-q", "-b", "podium/r-test1")
    head = project.commit({"a.py": "x = 3\n"})
    bundle = folder / "branch.bundle"
    project.git("bundle", "create", "-q", str(bundle), f"{base}..podium/r-test1")
    project.git("checkout", "-q", "main")
    project.git("branch", "-q", "-D", "podium/r-test1")
    return bundle, base, head


async def test_a_branch_is_delivered_once_and_found_again(project: Project, tmp_path: Path) -> None:
    """Delivered twice, there is one branch at the head that was approved; another head there is refused."""
    bundle, base, head = bundled(project, tmp_path)
    checkout = GitCheckout(tmp_path / "work", TestConfig())
    first = await checkout.deliver(task(project), bundle, base, head)
    assert await checkout.deliver(task(project), bundle, base, head) == first
    assert project.git("rev-parse", first.branch).strip() == head
    with pytest.raises(CouldNot, match="exists at"):
        await checkout.deliver(task(project), bundle, base, base)


async def test_a_branch_that_is_taken_back_leaves_the_repository_as_it_was(project: Project, tmp_path: Path) -> None:
    """Done again, or where nothing was delivered, nothing happens."""
    bundle, base, head = bundled(project, tmp_path)
    before, refs = project.snapshot(), project.git("for-each-ref")
    checkout = GitCheckout(tmp_path / "work", TestConfig())
    assert await checkout.withdraw(task(project), head) == ""
    await checkout.deliver(task(project), bundle, base, head)
    assert project.git("for-each-ref") != refs
    assert await checkout.withdraw(task(project), head) == ""
    assert await checkout.withdraw(task(project), head) == ""
    assert (project.snapshot(), project.git("for-each-ref")) == (before, refs)


@pytest.mark.parametrize("by", ["a commit", "a worktree"])
async def test_a_branch_that_was_gone_on_with_is_not_taken_back(project: Project, tmp_path: Path, by: str) -> None:
    """It is the person's, and what stays is said."""
    bundle, base, head = bundled(project, tmp_path)
    checkout = GitCheckout(tmp_path / "work", TestConfig())
    branch = (await checkout.deliver(task(project), bundle, base, head)).branch
    if by == "a commit":
        project.git("checkout", "-q", branch)
        head_now = project.commit({"a.py": "x = 4\n"})
        project.git("checkout", "-q", "main")
    else:
        project.git("worktree", "add", "-q", str(tmp_path / "elsewhere"), branch)
        head_now = head
    said = await checkout.withdraw(task(project), head)
    assert branch in said
    assert "stays" in said
    assert project.git("rev-parse", branch).strip() == head_now
