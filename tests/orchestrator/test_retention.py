"""What is removed of old runs, and what is said of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from contracts.base import sha256, utc_now
from orchestrator.retention import due, kept, prune
from orchestrator.runs import events_of, list_runs, state_of
from tests.orchestrator.crew import BRANCH, RUN
from tests.orchestrator.stage import AUTO_ALL, TASK, WORKFLOW, Stage
from tests.orchestrator.test_gates import PLAN

NOW = utc_now()


async def test_only_ended_runs_are_due_the_oldest_first_and_the_newest_never(stage: Stage) -> None:
    """A run that waits for a person is kept however long that takes."""
    for name in ("r-aaaa", "r-bbbb", "r-cccc"):
        await stage.conductor().start(TASK.model_copy(update={"run": name}), WORKFLOW, AUTO_ALL)
        stage.crew.answers.clear()
        stage.crew.applied, stage.crew.commits = "", 0
    await stage.run(PLAN)
    states = (await list_runs(stage.bus)).runs

    later = NOW + timedelta(hours=1)
    assert [state.run for state in due(states, later, 0)] == ["r-aaaa", "r-bbbb", "r-cccc"]
    assert [state.run for state in due(states, later, 2)] == ["r-aaaa"]
    assert due(states, NOW - timedelta(hours=1), 0) == ()


async def test_what_was_pruned_is_said_with_its_digests_and_the_ledger_is_whole(stage: Stage, tmp_path: Path) -> None:
    """Files, leftovers of the work folder and all; the run's events, figures and state are as before."""
    before = (await stage.run()).state
    (tmp_path / "work" / RUN / "left").write_text("over")
    there = {each.path: each.sha256 for each in kept(tmp_path, RUN)}
    assert there[f"bundles/{RUN}/branch.bundle"] == sha256(BRANCH)
    assert there[f"work/{RUN}"] is None

    event = await prune(stage.bus, stage.bus, tmp_path, RUN, by="ann", policy="ended before 2026-01-01")

    assert kept(tmp_path, RUN) == ()
    assert {each.path: each.sha256 for each in event.removed} == there
    after = await state_of(stage.bus, RUN)
    assert after.pruned == event
    assert after.pruned_at is not None
    noted = {"pruned": None, "pruned_at": None, "events": before.events, "updated_at": before.updated_at}
    assert after.model_copy(update=noted) == before
    assert [each.n for each in await events_of(stage.bus, RUN)] == list(range(1, before.events + 2))


async def test_nothing_is_removed_of_a_run_that_goes_on(stage: Stage, tmp_path: Path) -> None:
    """Whatever a caller believes."""
    await stage.run(PLAN)
    (tmp_path / "work" / RUN).mkdir(parents=True)
    with pytest.raises(AssertionError):
        await prune(stage.bus, stage.bus, tmp_path, RUN, by="ann", policy="all")
    assert (tmp_path / "work" / RUN).is_dir()


async def test_a_link_is_not_followed(stage: Stage, tmp_path: Path) -> None:
    """What somebody put in a bundle's place, or into it, leads nowhere."""
    await stage.run()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "dear").write_text("me")
    (tmp_path / "hosted").mkdir()
    (tmp_path / "hosted" / RUN).symlink_to(elsewhere)
    (tmp_path / "bundles" / RUN / "link").symlink_to(elsewhere / "dear")

    event = await prune(stage.bus, stage.bus, tmp_path, RUN, by="ann", policy="all")

    assert (elsewhere / "dear").read_text() == "me"
    assert not [each for each in event.removed if "link" in each.path or "hosted" in each.path]
