"""Rework: what people changed between the handover and the merge, in a real repository."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.base import sha256
from contracts.bundle import Bundle
from contracts.rework import FileRework, Rework
from contracts.state import RunState
from orchestrator.bundle import BRANCH_FILE
from orchestrator.rework import ReworkError, note, rework
from orchestrator.runs import events_of, state_of
from tests.git_project import Project
from tests.orchestrator.crew import RUN
from tests.replay.kept import KeptStage

BEFORE = "".join(f"line {number}\n" for number in range(40))
AFTER = "three\n".join(BEFORE.split("line 3\n")).replace("line 9\n", "nine\n") + "".join(f"new {n}\n" for n in range(8))
OTHERS = "above\n" * 9
"""What somebody else writes at the top of the same file, which is nothing to the run."""


@dataclass
class Handed:
    """A run's result in somebody's repository, and what is merged there."""

    project: Project
    state: RunState
    bundle: Bundle

    @property
    def branch(self) -> str:
        return f"podium/{RUN}"

    def measure(self, merged: str = "main") -> Rework:
        return rework(self.state, self.bundle, self.project.root, merged)


Hand = Callable[[Mapping[str, str | bytes], Mapping[str, str | bytes | None]], Awaitable[Handed]]


@pytest.fixture
def hand(kept: KeptStage, tmp_path: Path) -> Hand:
    """Hands a change over, as a branch and a bundle; a file that is None in it was deleted."""

    async def do(base: Mapping[str, str | bytes], change: Mapping[str, str | bytes | None]) -> Handed:
        outcome = await kept.run()
        folder = Path(outcome.state.bundle)
        made = Bundle.model_validate_json((folder / "bundle.json").read_bytes())
        project = Project(tmp_path / "shop")
        at = project.commit(base)
        project.git("switch", "-q", "-c", f"podium/{RUN}")
        for name in (name for name, content in change.items() if content is None):
            project.git("rm", "-q", name)
        head = project.commit({name: content for name, content in change.items() if content is not None})
        project.git("bundle", "create", "-q", str(folder / BRANCH_FILE), f"{at}..podium/{RUN}")
        project.git("switch", "-q", "main")
        digest = sha256((folder / BRANCH_FILE).read_bytes())
        update = {"base": at, "head": head, "branch_sha256": digest}
        return Handed(project, await state_of(kept.bus, RUN), made.model_copy(update=update))

    return do


@pytest.fixture
async def handed(hand: Hand) -> Handed:
    """Two lines replaced and eight appended."""
    return await hand({"a.txt": BEFORE, "b.txt": "b\n"}, {"a.txt": AFTER})


MERGES: dict[str, tuple[tuple[str, ...], ...]] = {
    "merge": (("merge", "-q", "--no-ff", "-m", "merge", f"podium/{RUN}"),),
    "squash": (("merge", "-q", "--squash", f"podium/{RUN}"), ("commit", "-q", "-m", "squashed")),
    "rebase": (("rebase", "-q", "main", f"podium/{RUN}"), ("switch", "-q", "main"), ("merge", "-q", f"podium/{RUN}")),
    "cherry-pick": (("cherry-pick", f"podium/{RUN}"),),
}


@pytest.mark.parametrize("way", MERGES)
async def test_however_it_is_merged_the_work_of_others_is_no_rework(handed: Handed, way: str) -> None:
    """They have written in the same file before, and do so again afterwards."""
    project = handed.project
    project.commit({"a.txt": OTHERS + BEFORE.replace("line 30\n", "thirty\n"), "b.txt": "other\n"})
    for step in MERGES[way]:
        project.git(*step)
    before = project.snapshot()
    found = handed.measure()
    assert (found.degree, found.handed_lines, found.reworked_lines, found.rearranged_lines) == ("none", 10, 0, 0)
    assert project.snapshot() == before
    assert found.merged == project.git("rev-parse", "main").strip()
    project.commit({"a.txt": (project.root / "a.txt").read_text().replace("line 20\n", "") + "below\n"})
    assert handed.measure().degree == "none"


async def test_a_line_altered_on_the_way_is_minor(handed: Handed) -> None:
    """One of ten, whatever else the commit brings."""
    handed.project.commit({"a.txt": OTHERS + AFTER.replace("new 4\n", "newer\n"), "c.txt": "c\n" * 99})
    found = handed.measure()
    assert (found.degree, found.reworked_lines, found.share) == ("minor", 1, 0.1)
    assert found.files == (
        FileRework(path="a.txt", merged_as="a.txt", handed_lines=10, reworked_lines=1, rearranged_lines=0),
    )


async def test_a_hunk_that_was_dropped_is_reworked(handed: Handed) -> None:
    """Eight lines of ten; the two others came in."""
    handed.project.commit({"a.txt": OTHERS + AFTER[: AFTER.index("new 0")]})
    assert (handed.measure().degree, handed.measure().reworked_lines) == ("major", 8)


async def test_lines_that_were_only_indented_otherwise_are_minor(handed: Handed) -> None:
    """However many."""
    handed.project.commit({"a.txt": AFTER.replace("new", "    new")})
    found = handed.measure()
    assert (found.degree, found.reworked_lines, found.rearranged_lines) == ("minor", 0, 8)


async def test_a_change_that_never_came_in_is_major(handed: Handed) -> None:
    """Neither before nor after others have worked on, nor without the file."""
    assert (handed.measure().degree, handed.measure().share) == ("major", 1.0)
    handed.project.commit({"a.txt": OTHERS + BEFORE})
    assert (handed.measure().degree, handed.measure().share) == ("major", 1.0)
    handed.project.git("rm", "-q", "a.txt")
    handed.project.commit()
    assert (handed.measure().degree, handed.measure().files[0].merged_as) == ("major", "")


async def test_a_file_that_was_renamed_is_followed(handed: Handed) -> None:
    """By others on their side, or together with the change."""
    handed.project.git("mv", "a.txt", "moved.txt")
    handed.project.commit({"moved.txt": OTHERS + AFTER.replace("new 4\n", "newer\n")})
    (found,) = handed.measure().files
    assert (found.path, found.merged_as, found.reworked_lines) == ("a.txt", "moved.txt", 1)


async def test_what_is_no_line_of_text_counts_as_one(hand: Hand) -> None:
    """A new name, a picture, an empty file, a deleted one: dropped, each is reworked; merged, none is."""
    text, picture = BEFORE, b"\0\n\1\n"
    base: dict[str, str | bytes] = {"old.txt": text, "p.png": picture, "gone.txt": "gone\n"}
    change = {"old.txt": None, "new.txt": text, "p.png": picture * 2, "pkg/__init__.py": "", "gone.txt": None}
    handed = await hand(base, change)
    found = handed.measure(handed.branch)
    assert (found.degree, found.handed_lines) == ("none", 4)
    assert {each.path: each.reworked_lines for each in handed.measure().files} == {
        "new.txt": 1,
        "p.png": 1,
        "pkg/__init__.py": 1,
        "gone.txt": 1,
    }


def forget_branch(project: Project) -> None:
    project.git("branch", "-q", "-D", f"podium/{RUN}")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")


async def test_a_branch_that_is_gone_is_taken_from_the_bundle(handed: Handed) -> None:
    """The repository stays as it is: nothing is fetched into it."""
    handed.project.commit({"a.txt": AFTER.replace("three\n", "")})
    forget_branch(handed.project)
    before = handed.project.snapshot()
    assert (handed.measure().degree, handed.measure().reworked_lines) == ("minor", 1)
    assert handed.project.snapshot() == before
    assert handed.bundle.head not in handed.project.git("cat-file", "--batch-all-objects", "--batch-check")


async def test_without_branch_and_bundle_it_cannot_be_told(handed: Handed) -> None:
    """The message says where the branch may still be."""
    forget_branch(handed.project)
    (Path(handed.state.bundle) / BRANCH_FILE).unlink()
    with pytest.raises(ReworkError, match="fetch the branch"):
        handed.measure()


@pytest.mark.parametrize("name", ["nope", "--output=x", "main:a.txt"])
async def test_what_is_no_commit_is_refused(handed: Handed, name: str) -> None:
    """Named back, with the way out."""
    with pytest.raises(ReworkError, match="has no commit"):
        handed.measure(name)


async def test_a_run_that_handed_nothing_over_has_no_rework(handed: Handed) -> None:
    """It says what the run is instead."""
    failed = handed.state.model_copy(update={"status": "failed"})
    with pytest.raises(ReworkError, match="it is failed"):
        rework(failed, None, handed.project.root, "main")


async def test_what_was_measured_last_is_part_of_the_run(handed: Handed, kept: KeptStage) -> None:
    """Noted once, though measured twice, and nothing else about the run has changed."""
    first, last = handed.measure(), handed.measure(handed.branch)
    for found in (first, last, last):
        await note(kept.bus, found)
    state = await state_of(kept.bus, RUN)
    assert state.rework == last
    assert state.events == handed.state.events + 2
    assert state.metrics == handed.state.metrics
    assert (state.status, state.ended_at) == (handed.state.status, handed.state.ended_at)
    assert (await events_of(kept.bus, RUN))[-1].what.event == "rework-measured"


async def test_a_run_with_measured_rework_is_not_gone_on_with(handed: Handed, kept: KeptStage) -> None:
    """Resumed or aborted, it has ended as before."""
    await note(kept.bus, handed.measure())
    before = await events_of(kept.bus, RUN)
    assert (await kept.conductor().resume(RUN)).state.status == "handed_over"
    assert (await kept.conductor().abort(RUN, by="ann")).state.status == "handed_over"
    assert await events_of(kept.bus, RUN) == before
