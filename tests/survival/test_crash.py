"""Crash points: silent unless the harness armed them from outside, and then each at its passage, once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bus.crash import ENV, POINTS
from tests.cli.conftest import ROOT
from tests.survival.control import Control, Order

PASSING = """
import sys
from bus.crash import arm, crash_point
arm("workspace")
for _ in range(int(sys.argv[1])):
    crash_point("commit.before_ref")
    crash_point("commit.after_ref")
print("through", flush=True)
"""
FORKING = """
import os
from bus.crash import arm, crash_point
arm("house")
for name in ("workspace", "workspace"):
    if os.fork() == 0:
        arm(name)
        crash_point("commit.before_ref")
        os._exit(0)
print(*sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)))
"""


@contextmanager
def passing(control: Control, program: str = PASSING, times: int = 1) -> Generator[subprocess.Popen[str]]:
    """A process that passes points so often."""
    command = [sys.executable, "-c", program, str(times)]
    env = {**os.environ, **control.env}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_each_point_stands_in_the_code_and_each_place_in_the_code_has_its_own_name() -> None:
    """What is declared is somewhere, once; an unknown name is the type checker's affair."""
    found = Counter(
        name
        for package in ("bus", "servers", "orchestrator")
        for file in (ROOT / package).rglob("*.py")
        for name in re.findall(r'crash_point\("([^"]+)"\)', file.read_text())
    )
    assert found == Counter(POINTS)


def test_the_page_names_every_point_and_no_other() -> None:
    """docs/survival.md."""
    page = (ROOT / "docs/survival.md").read_text()
    named = re.findall(r"`([a-z]+\.[a-z_]+)`", page.partition("| point |")[2])
    assert Counter(named) == Counter(POINTS)


def test_who_was_not_started_by_the_harness_passes_and_leaves_no_trace(tmp_path: Path) -> None:
    """Orders lie ready, but nothing says where."""
    control = Control(tmp_path / "control")
    control.order([Order("commit.before_ref", "workspace", None, "die")])
    env = {name: value for name, value in os.environ.items() if name != ENV}
    done = subprocess.run([sys.executable, "-c", PASSING, "2"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "through\n")
    assert control.passages() == Counter()


def test_a_process_dies_at_the_passage_it_was_ordered_to_and_at_no_other_point(tmp_path: Path) -> None:
    """The second passage of one point; all that was passed is on record."""
    control = Control(tmp_path / "control")
    control.order([Order("commit.before_ref", "workspace", 2, "die"), Order("commit.after_ref", "model", 1, "die")])
    with passing(control, times=3) as process:
        assert process.wait() == -signal.SIGKILL
    assert control.passages() == {("commit.before_ref", "workspace"): 2, ("commit.after_ref", "workspace"): 1}


def test_who_is_started_again_goes_on_counting_so_that_nobody_dies_twice(tmp_path: Path) -> None:
    """The order was for the first passage; the next process of that name makes the second."""
    control = Control(tmp_path / "control")
    control.order([Order("commit.before_ref", "workspace", 1, "die")])
    with passing(control) as process:
        assert process.wait() == -signal.SIGKILL
    with passing(control) as process:
        assert process.communicate()[0] == "through\n"


def test_of_two_processes_of_one_name_at_one_point_one_dies(tmp_path: Path) -> None:
    """Replicas of a member, forked from one that was armed as somebody else: passages are counted under a lock."""
    control = Control(tmp_path / "control")
    control.order([Order("commit.before_ref", "workspace", 2, "die")])
    with passing(control, FORKING) as process:
        assert process.communicate()[0] == f"{-signal.SIGKILL} 0\n"


def test_who_is_held_says_so_and_waits_for_leave(tmp_path: Path) -> None:
    """Meanwhile the harness can look at what is there, or kill somebody else."""
    control = Control(tmp_path / "control")
    control.order([Order("commit.before_ref", "workspace", None, "hold")])
    with passing(control, times=2) as process:
        for nth in (1, 2):
            (held,) = control.held()
            assert (held.point, held.process, held.nth) == ("commit.before_ref", "workspace", nth)
            assert held.pid == process.pid
            assert process.poll() is None
            control.go()
        assert process.communicate()[0] == "through\n"
