"""Rework: what people changed between the handover and the merge, in a real repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.base import sha256
from contracts.bundle import Bundle
from contracts.patch import Patch
from contracts.state import RunState
from orchestrator.bundle import BRANCH_FILE
from orchestrator.rework import ReworkError, degree, rework
from orchestrator.runs import state_of
from tests.git_project import Project
from tests.orchestrator.crew import RUN
from tests.replay.kept import KeptStage

BEFORE = "".join(f"line {number}\n" for number in range(40))
AFTER = BEFORE.replace("line 3\n", "three\n").replace("line 9\n", "nine\n").replace("line 20\n", "twenty\n")


@dataclass
class Handed:
    """A run's result in somebody's repository."""

    project: Project
    state: RunState
    bundle: Bundle

    def merged(self, text: str, more: dict[str, str | bytes] | None = None) -> str:
        """A commit on main in which the file reads `text`."""
        return self.project.commit({"a.txt": text, **(more or {})})


@pytest.fixture
async def handed(kept: KeptStage, tmp_path: Path) -> Handed:
    """A branch with a change of three lines, as a handed-over run leaves it."""
    outcome = await kept.run()
    folder = Path(outcome.state.bundle)
    made = Bundle.model_validate_json((folder / "bundle.json").read_bytes())
    project = Project(tmp_path / "shop")
    base = project.commit({"a.txt": BEFORE, "b.txt": "b\n"})
    project.git("switch", "-q", "-c", f"podium/{RUN}")
    head = project.commit({"a.txt": AFTER})
    project.git("bundle", "create", "-q", str(folder / BRANCH_FILE), f"{base}..podium/{RUN}")
    project.git("switch", "-q", "main")
    change = Patch.of(project.git("diff", base, head), ("a.txt",))
    digest = sha256((folder / BRANCH_FILE).read_bytes())
    update = {"base": base, "head": head, "patch": change, "branch_sha256": digest}
    return Handed(project, await state_of(kept.bus, RUN), made.model_copy(update=update))


async def test_what_was_merged_as_it_was_is_no_rework(handed: Handed) -> None:
    """Other files of the commit do not count."""
    before = handed.project.snapshot()
    found = rework(handed.state, handed.bundle, handed.project.root, f"podium/{RUN}")
    assert (found.degree, found.differing_lines, found.patch_lines) == ("none", 0, 6)
    assert handed.project.snapshot() == before
    commit = handed.merged(AFTER, {"b.txt": "other\n"})
    assert rework(handed.state, handed.bundle, handed.project.root, "main").merged == commit
    assert rework(handed.state, handed.bundle, handed.project.root, "main").degree == "none"


async def test_a_line_removed_again_is_minor(handed: Handed) -> None:
    """One line of six: a sixth."""
    commit = handed.merged(AFTER.replace("three\n", ""))
    found = rework(handed.state, handed.bundle, handed.project.root, commit)
    assert (found.degree, found.differing_lines, round(found.share, 2)) == ("minor", 1, 0.17)


async def test_a_rewritten_change_is_major(handed: Handed) -> None:
    """Two lines in another wording: four of six."""
    commit = handed.merged(AFTER.replace("three", "3").replace("nine", "9"))
    found = rework(handed.state, handed.bundle, handed.project.root, commit)
    assert (found.degree, found.differing_lines) == ("major", 4)
    assert [(each.path, each.patch_lines, each.differing_lines) for each in found.files] == [("a.txt", 6, 4)]


async def test_a_file_that_is_gone_differs_in_every_line(handed: Handed) -> None:
    """Deleted before the merge: all of its lines."""
    handed.project.git("rm", "-q", "a.txt")
    commit = handed.project.commit()
    assert rework(handed.state, handed.bundle, handed.project.root, commit).differing_lines == 40


def forget_branch(project: Project) -> None:
    project.git("branch", "-q", "-D", f"podium/{RUN}")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")


async def test_a_branch_that_is_gone_is_taken_from_the_bundle(handed: Handed) -> None:
    """The repository stays as it is: nothing is fetched into it."""
    commit = handed.merged(AFTER.replace("three\n", ""))
    forget_branch(handed.project)
    before = handed.project.snapshot()
    found = rework(handed.state, handed.bundle, handed.project.root, commit)
    assert (found.degree, found.differing_lines) == ("minor", 1)
    assert handed.project.snapshot() == before
    assert handed.bundle.head not in handed.project.git("cat-file", "--batch-all-objects", "--batch-check")


async def test_without_branch_and_bundle_it_cannot_be_told(handed: Handed) -> None:
    """The message says where the branch may still be."""
    commit = handed.merged(AFTER.replace("three\n", ""))
    forget_branch(handed.project)
    (Path(handed.state.bundle) / BRANCH_FILE).unlink()
    with pytest.raises(ReworkError, match="fetch the branch"):
        rework(handed.state, handed.bundle, handed.project.root, commit)


@pytest.mark.parametrize("name", ["nope", "--output=x", "main:a.txt"])
async def test_what_is_no_commit_is_refused(handed: Handed, name: str) -> None:
    """Named back, with the way out."""
    with pytest.raises(ReworkError, match="has no commit"):
        rework(handed.state, handed.bundle, handed.project.root, name)


async def test_a_run_that_handed_nothing_over_has_no_rework(handed: Handed) -> None:
    """It says what the run is instead."""
    failed = handed.state.model_copy(update={"status": "failed"})
    with pytest.raises(ReworkError, match="it is failed"):
        rework(failed, None, handed.project.root, "main")


@pytest.mark.parametrize(
    ("changed", "differing", "said"),
    [(8, 0, "none"), (8, 1, "minor"), (8, 2, "minor"), (8, 3, "major"), (0, 1, "major")],
)
def test_the_degrees(changed: int, differing: int, said: str) -> None:
    """Up to a quarter of the patch's lines is minor."""
    assert degree(changed, differing) == said
