"""What is handed in by mistake or by malice: a clear message at the end, and nothing lost or left running."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SETTINGS, STOCK, TESTS, Podium, make_project
from tests.e2e.rig import files_left, fixing, survivors
from tests.git_project import Project

REFUSED = "No plausible patch was found"
"""What comes of a test that is refused what it wants, and fails like any other: root is not refused processes."""
FILLS_THE_DISK = """def test_fills_the_disk():
    number = 0
    while True:
        number += 1
        with open(f"big{number}", "wb") as file:
            file.write(bytes(8 << 20))
"""
PRINTS_A_GIGABYTE = """import sys


def test_prints_a_gigabyte(capfd):
    with capfd.disabled():
        for _ in range(1024):
            sys.stdout.write("x" * (1 << 20))
    assert False
"""
TAKES_ALL_MEMORY = """def test_takes_all_memory():
    kept = []
    while True:
        kept.append(bytearray(64 << 20))
"""
FORKS_FOREVER = """import os
import time


def test_forks_forever():
    while True:
        if os.fork() == 0:
            time.sleep(3600)
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (FILLS_THE_DISK, "the limit on disk space was reached while tests/test_wild.py::test_fills_the_disk ran"),
        (PRINTS_A_GIGABYTE, "the limit on output was reached while tests/test_wild.py::test_prints_a_gigabyte ran"),
        (TAKES_ALL_MEMORY, REFUSED),
        (
            FORKS_FOREVER,
            REFUSED if os.geteuid() else "the limit on processes was reached while tests/test_wild.py::test_forks_",
        ),
    ],
    ids=["disk", "output", "memory", "forks"],
)
def test_a_test_without_measure_meets_a_limit(
    source: str, reason: str, kept: Podium, project: Project, others: set[int]
) -> None:
    """The run ends with the limit's name; the machine, the checkout and the house are as before."""
    project.commit({"tests/test_wild.py": source, "podium.toml": "[budgets]\ntest_timeout_s = 20\n"})
    before = project.snapshot()
    name = source.partition("def ")[2].partition("(")[0]

    done = kept(*fixing(project, "--auto", "all", test=f"tests/test_wild.py::{name}"))
    assert done.code == 1
    state = done.document["state"]
    assert reason in state["reason"]
    assert state["way_out"]
    assert survivors(others) == {}
    assert files_left(kept) == []
    assert project.snapshot() == before


def test_an_odd_repository_is_mended_in_its_own_style(kept: Podium, tmp_path: Path) -> None:
    """Spaces, Unicode, links, a submodule, CRLF, no newline at the end: one line changes, all else is as it was."""
    project = Project(tmp_path / "my crates — ящики")
    source = STOCK.replace("\n", "\r\n").removesuffix("\r\n")
    files = {
        "src dir/stöck.py": source,
        "tests/test_stock.py": TESTS.replace("from stock", "from stöck"),
        "pyproject.toml": SETTINGS.replace('["."]', '["src dir"]'),
        "data/naïve name.txt": "no newline at the end",
        "tool.sh": "#!/bin/sh\nexit 0\n",
    }
    project.write(files)
    (project.root / "tool.sh").chmod(0o755)
    for number, target in enumerate(("data/naïve name.txt", "data", "gone", "/etc")):
        (project.root / f"link {number}").symlink_to(target)
    other = make_project(tmp_path / "other")
    project.git("submodule", "--quiet", "add", str(other.root), "vendor/other")
    project.commit()
    before = project.snapshot()

    done = kept(*fixing(project, "--auto", "all"))

    assert done.code == 0, done.err
    run = done.document["state"]["task"]["run"]
    mended = project.root.parent / "mended"
    project.git("worktree", "add", "--quiet", "--detach", str(mended), f"podium/{run}")
    assert (mended / "src dir/stöck.py").read_bytes() == source.replace("wanted <", "wanted <=").encode()
    project.git("worktree", "remove", str(mended))
    assert project.git("diff", "--raw", "main", f"podium/{run}").count("\n") == 1
    assert "vendor/other" in " ".join(done.document["bundle"]["risks"])
    assert project.snapshot() == before


def _cut_off(stream: Path) -> None:
    os.truncate(stream / "msgs/1.blk", 300)


def _scribble_over(stream: Path) -> None:
    with (stream / "msgs/1.blk").open("r+b") as block:
        block.seek(block.read().index(b".started"))
        block.write(b"scribble" * 25)


@pytest.mark.parametrize("damage", [_cut_off, shutil.rmtree])
def test_a_ledger_that_has_lost_something_is_found_out(
    damage: Callable[[Path], None], fresh: Podium, project: Project, others: set[int]
) -> None:
    """Nothing starts on it unasked: the message says what is missing, and how to go on with what is left."""
    damage(_ledger_of_a_run(fresh, project, others))

    refused = fresh("runs")

    assert refused.code == 1
    assert "LEDGER_runs lacks" in refused.err
    assert "Traceback" not in refused.err
    way_out = refused.err.partition("rm '")[2].partition("'")[0]
    Path(way_out).unlink()
    assert fresh("runs").code == 0


def test_a_run_with_an_unreadable_event_is_not_passed_over(fresh: Podium, project: Project, others: set[int]) -> None:
    """What the broker notices only on reading is said with the run's name."""
    _scribble_over(_ledger_of_a_run(fresh, project, others))

    told = fresh("runs", "--json")

    assert (told.code, told.document) == (1, [])
    assert "is torn: expected its event 1, found 2" in told.err


def _ledger_of_a_run(podium: Podium, project: Project, others: set[int]) -> Path:
    """The folder of the stream of runs, after a run and with nothing running."""
    assert podium(*fixing(project, test="tests/test_stock.py::test_some_can_be_sold")).code == 1
    podium("down")
    assert survivors(others) == {}
    (stream,) = podium.state.rglob("LEDGER_runs")
    return stream
