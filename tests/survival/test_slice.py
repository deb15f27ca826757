"""A few cells of the matrix; `python -m tests.survival` runs all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.survival.cells import BROKER, ITSELF, WARDEN, Cell, Found, Kill
from tests.survival.lanes import Lanes, lanes
from tests.survival.verdict import judge, table

KILLS = (
    Kill(victim=ITSELF, point="commit.after_ref", process="workspace"),
    Kill(victim=ITSELF, point="handover.after_ref", process="orchestrator"),
    Kill(victim=BROKER, point="execute.after", process="workspace", nth=3),
    Kill(victim=WARDEN, point="job.begun", process="test_runner"),
)


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    """One house and what it takes to kill in it; at the end nothing of it is left."""
    with lanes(tmp_path_factory.mktemp("survival") / "lanes", 1) as running:
        yield running
        assert running.close() == []


@pytest.fixture(scope="module")
def golden(lane: Lanes) -> Found:
    """The run that nobody disturbs."""
    (found,) = lane.run([Cell(scene="search")])
    assert found.problem == ""
    return found


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_killed_at_a_crash_point_a_run_ends_as_undisturbed(lane: Lanes, golden: Found, kill: Kill) -> None:
    """The same tree, commits, bundle, decisions and calls; no effect twice, nothing left behind."""
    (found,) = lane.run([Cell(scene="search", kills=(kill,))])
    verdict = judge(golden, found)
    assert verdict.hit
    assert verdict.ok, table([verdict])
