"""Clocks that are set once; `python -m tests.clocks` sets every process's, and compares with undisturbed runs."""

from __future__ import annotations

from pathlib import Path

from tests.clocks.lane import EVERYBODY, Jump, clock_lane
from tests.clocks.settable import FORWARD
from tests.survival.cells import ORCHESTRATOR, Cell


def test_a_run_on_a_machine_whose_clock_is_set_ends_at_once_and_well(tmp_path: Path) -> None:
    """All its processes jump a day ahead of the broker; nothing times out, it is said, and nothing is old by it."""
    jump = Jump(victim=EVERYBODY, point="event.after_store", process=ORCHESTRATOR, nth=30, signum=FORWARD)
    with clock_lane(tmp_path) as lane:
        found = lane.run(Cell(scene="search", kills=(jump,)))
        assert (found.problem, found.exits, found.missed) == ("", [0], [])
        assert found.evidence["commits"] == 1
        assert found.evidence["left behind"] == []

        refused = lane.tomorrow("gc", "--older-than", "1h", "--keep", "0")
        assert refused.code == 1
        assert "clock is +86,4" in refused.err
        assert "Nothing was removed" in refused.err
