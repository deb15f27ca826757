"""One-line bugs in projects the code was not written against."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from contracts.sandbox import Limits
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import Job
from servers.sandbox.order import Policy
from servers.testing.program import interpreter_paths
from tests.cli.conftest import Done, Podium
from tests.e2e.projects import BUGS, Bug
from tests.e2e.rig import calls_of, files_left, fixing
from tests.e2e.streams import stored_calls
from tests.git_project import Project
from tests.sandbox.cells import python_for

AT_ONCE = 2


@dataclass(frozen=True)
class Story:
    """A bug, the checkout before and after, and what the command said."""

    bug: Bug
    project: Project
    before: dict[str, bytes]
    after: dict[str, bytes]
    done: Done

    @property
    def run(self) -> str:
        return str(self.done.document["state"]["task"]["run"])


@pytest.fixture(scope="module")
def stories(kept: Podium, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Story]:
    """Every bug given to the crew of one house, two at a time."""

    def tell(bug: Bug) -> Story:
        project = bug.plant(tmp_path_factory.mktemp("bug") / "project")
        project.write({"notes.txt": "not committed\n"})
        before = project.snapshot()
        done = kept(*fixing(project, "--auto", "all", "--budget-seconds", "240", test=bug.test))
        return Story(bug, project, before, project.snapshot(), done)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {story.bug.kind: story for story in pool.map(tell, BUGS)}


@pytest.mark.parametrize("kind", [bug.kind for bug in BUGS])
def test_a_bug_becomes_a_branch_whose_suite_is_green(kind: str, stories: dict[str, Story]) -> None:
    """Exit 0 and one JSON document; the only new thing in the repository is the branch, one commit long."""
    story = stories[kind]

    assert story.done.code == 0, story.done.err
    bundle = story.done.document["bundle"]
    assert (bundle["after"]["outcome"], bundle["after"]["counts"]["failed"]) == ("passed", 0)
    assert story.after == story.before
    assert story.project.git("log", "--format=%s", "main") == "As it stands\n"
    assert story.project.git("rev-list", "--count", f"main..podium/{story.run}") == "1\n"
    assert story.project.git("status", "--porcelain") == "?? notes.txt\n"


@pytest.fixture(scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[KeptSandbox, Path]]:
    """The strongest sandbox of this machine, apart from any house."""
    root = tmp_path_factory.mktemp("sandbox")
    async with KeptSandbox(start_keeper(Policy(root, read_anywhere=True))) as kept:
        yield kept, root


async def test_the_branches_are_green_for_pytest_alone(
    stories: dict[str, Story], sandbox: tuple[KeptSandbox, Path]
) -> None:
    """Checked out afresh and run by plain pytest, without anything of Podium, the suites pass."""
    kept, root = sandbox
    python = python_for(kept.report.backend)
    for number, story in enumerate(stories.values()):
        tree = root / str(number)
        await anyio.to_thread.run_sync(story.project.git, "clone", "-q", "-b", f"podium/{story.run}", ".", str(tree))

        finished = await kept.run(
            Job(
                argv=(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                scratch=tree,
                read_only=interpreter_paths(python),
                limits=Limits(wall_s=120),
            )
        )

        assert finished.returncode == 0, finished.output.decode()


def test_runs_that_share_a_house_leave_nothing_of_themselves(kept: Podium, stories: dict[str, Story]) -> None:
    """Two at a time they had one crew; no worktree, copy or scratch file stays."""
    assert len({story.run for story in stories.values()}) == len(BUGS)
    assert files_left(kept) == []


async def test_the_audit_lists_what_the_streams_hold(kept: Podium, stories: dict[str, Story]) -> None:
    """A recount of every stream, message by message, gives the same calls, nested ones with them."""
    story = stories[BUGS[0].kind]
    counted = await stored_calls(kept.state, str(kept("status", "--json").document["house"]["url"]), story.run)
    listed = calls_of(kept, story.run)

    assert [_essence(each) for each in listed] == counted
    nested = [each for each in listed if each["caller"] == "code_writer"]
    assert {"test_runner.try_patches", "test_runner.coverage"} <= {f"{e['server']}.{e['tool']}" for e in nested}
    proposing = {each["call_id"] for each in listed if each["tool"] == "propose"}
    assert {each["parent"] for each in nested} == proposing
    assert all(each["duration_ms"] > 0 and each["outcome"] == "ok" for each in listed)


def _essence(call: dict[str, Any]) -> dict[str, object]:
    names = ("call_id", "caller", "server", "tool", "seq", "params_sha256", "result_sha256")
    return {name: call[name] for name in names}
