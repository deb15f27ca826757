"""However a run ends, no process, worktree or scratch file of it stays."""

from __future__ import annotations

import signal

import pytest

from tests.cli.conftest import Podium
from tests.e2e.rig import files_left, fixing, going, run_of, survivors
from tests.git_project import Project

ENDLESS = """import os
import subprocess
import sys


def test_never_ends():
    for _ in range(4):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
    while True:
        pass
"""


@pytest.mark.parametrize(
    ("how", "moment"),
    [
        (signal.SIGINT, "● Take in the repository"),
        (signal.SIGTERM, "● Look for plausible patches"),
        (signal.SIGKILL, "● See the test fail"),
        (signal.SIGKILL, "● Apply and commit"),
    ],
)
def test_a_run_that_is_broken_off_leaves_no_process_and_no_scratch(
    how: signal.Signals, moment: str, fresh: Podium, project: Project, others: set[int]
) -> None:
    """SIGINT, SIGTERM, kill -9 at any step: all that ran is gone; only what `resume` needs is kept, until `abort`."""
    before = project.snapshot()
    with going(fresh, *fixing(project, "--auto", "all")) as process:
        process.until(moment)
        process.process.send_signal(how)
        done = process.end()

    assert done.code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert ("Ctrl-C again: at once" in done.err) == (how == signal.SIGINT)
    assert "Traceback" not in done.err
    assert survivors(others) == {}
    assert [path for path in files_left(fresh) if path.startswith("scratch")] == []
    run = run_of(fresh)
    assert fresh("abort", run).code == 0
    assert survivors(others) == {}
    assert files_left(fresh) == []
    assert project.snapshot() == before


def test_a_test_that_hangs_and_forks_is_stopped_with_all_it_started(
    kept: Podium, project: Project, others: set[int]
) -> None:
    """The time limit is named with the way to raise it; children in sessions of their own end too."""
    project.commit({"tests/test_hang.py": ENDLESS, "podium.toml": "[budgets]\ntest_timeout_s = 3\n"})

    done = kept(*fixing(project, "--auto", "all", test="tests/test_hang.py::test_never_ends"))

    assert done.code == 1
    state = done.document["state"]
    assert "time limit of 3 s" in state["reason"]
    assert "tests/test_hang.py::test_never_ends" in state["reason"]
    assert "test_timeout_s" in state["way_out"]
    assert survivors(others) == {}
    assert files_left(kept) == []
