"""A run that is aborted when its branch is in the person's repository already, and nobody has noted that."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Podium
from tests.e2e.rig import files_left, fixing
from tests.git_project import Project
from tests.survival.control import Control, Order


def test_aborted_behind_its_delivery_a_run_leaves_nothing(kept: Podium, project: Project, tmp_path: Path) -> None:
    """The repository is as it was before the run, its branch is gone with it."""
    before = project.snapshot()
    control = Control(tmp_path / "control")
    control.order([Order("handover.after_ref", "orchestrator", None, "die")])
    killed = kept(*fixing(project, "--auto", "all"), env=control.env)
    assert killed.code < 0
    assert "podium/" in project.git("branch", "--list", "podium/*")

    aborted = kept("abort", "last", "--json")

    assert (aborted.code, aborted.document["status"]) == (0, "aborted"), aborted.err
    assert project.snapshot() == before
    assert project.git("branch", "--list", "podium/*") == ""
    assert files_left(kept) == []
