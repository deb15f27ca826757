"""Every sandbox that works here runs a suite and tries patches: none only on paper."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contracts.test_runner import RunParams
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.order import Policy
from tests.sandbox.cells import available, cell, python_for, scratch_root
from tests.test_runner.project import RUN, Asked, Project

SUITE = """
    def add(a, b):
        return a - b

    def test_add():
        assert add(1, 2) == 3

    def test_nothing():
        assert add(0, 0) == 0
"""


def backends() -> list[str]:
    """Those whose programs can read this interpreter, which has pytest."""
    return [name for name in available() if python_for(name) == Path(sys.executable)]


@pytest.mark.parametrize("backend", backends())
async def test_a_bug_is_seen_and_repaired_at_every_level(backend: str) -> None:
    """The suite is run and a candidate found plausible, whichever backend confines."""
    with scratch_root() as place:
        rules = Policy(place, read_anywhere=True, backends=(backend,), python=python_for(backend))
        async with KeptSandbox(start_keeper(rules)) as kept:
            project = Project(place, kept)
            project.write(test_sums_py=SUITE)
            (place / "scratch").mkdir()
            asked = RunParams(run=RUN, tests=(), diff="", timeout_s=120)
            ran = await project.runner.run(asked, Asked())
            right = project.change("test_sums.py", ("a - b", "a + b"))
            tried = await project.try_("test_sums.py::test_add", {"right": right})
    assert (ran.counts.passed, ran.counts.failed) == (1, 1)
    assert [(each.id, each.outcome) for each in tried.results] == [("right", "plausible")]
    # Only a warm worker watches calls; without one every candidate costs a whole pytest.
    assert tried.results[0].evidence is not None
    assert tried.results[0].evidence.calls_observed > 0


@pytest.mark.parametrize("backend", available())
async def test_only_a_tmp_of_its_own_is_tidied_up_between_candidates(backend: str) -> None:
    """A folder is called private where a file that a job makes in it is seen by nobody else."""
    code = "import os; print(os.environ.get('PODIUM_PRIVATE'))"
    async with cell(backend) as confined:
        told = await confined.python(code)
    assert told.output.decode().strip() == ("/tmp" if backend == "bubblewrap" else "None")
