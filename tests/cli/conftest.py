"""`podium` as people call it: a process of its own, with a state directory of its own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.git_project import Project

ROOT = Path(__file__).resolve().parents[2]
TEST = "tests/test_stock.py::test_the_last_one_can_be_sold"
LIMIT_S = 300
"""How long a command may take before the test gives up on it."""

STOCK = '''"""What is on the shelf."""


class Stock:
    def __init__(self, pieces):
        self.pieces = pieces

    def sell(self, wanted):
        if wanted < self.pieces:
            self.pieces -= wanted
            return True
        return False

    def refill(self, pieces):
        if pieces > 0:
            self.pieces += pieces
'''

TESTS = """from stock import Stock


def test_some_can_be_sold():
    stock = Stock(5)
    assert stock.sell(2)
    assert stock.pieces == 3


def test_the_last_one_can_be_sold():
    stock = Stock(1)
    assert stock.sell(1)
    assert stock.pieces == 0


def test_more_than_there_is_cannot_be_sold():
    stock = Stock(3)
    assert not stock.sell(4)
    assert stock.pieces == 3


def test_the_shelf_is_refilled():
    stock = Stock(1)
    stock.refill(4)
    assert stock.pieces == 5
"""

SETTINGS = '[tool.pytest.ini_options]\npythonpath = ["."]\n'


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


class Podium:
    """Calls `podium` with one state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state

    @property
    def crew(self) -> Path:
        """A person's own crew file, which is not there at first."""
        return self.state.parent / "crew.toml"

    def __call__(self, *args: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Done:
        with self.begin(*args, cwd=cwd, env=env) as process:
            out, err = process.communicate(timeout=LIMIT_S)
        return Done(process.returncode, out, err)

    def begin(self, *args: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            self.command(*args),
            cwd=cwd,
            env={**self.environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *args: str) -> list[str]:
        """What a process is started with that calls `podium`."""
        return [sys.executable, "-m", "orchestrator.cli.main", *args]

    def environment(self) -> dict[str, str]:
        """What its processes are started with."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PODIUM_STATE_DIR": str(self.state),
            "PODIUM_CREW": str(self.crew),
        }

    def fix(self, project: Project, *more: str, test: str = TEST) -> Done:
        """`podium run fix-bug --json` on a project."""
        return self("run", "fix-bug", "--repo", str(project.root), "--test", test, "--json", "--consent-weak", *more)

    def processes(self) -> list[str]:
        """Command lines of every process that names the state directory or is below one that does."""
        found: list[str] = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) != os.getpid():
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if any(os.fsencode(self.state) in word for word in words):
                    found.append(b" ".join(words).decode(errors="replace"))
        return found


def wait_for_end(pid: int) -> bool:
    """Wait until a process that is not our child is gone; False when it outlives the limit."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], LIMIT_S)[0])
    finally:
        os.close(fd)


def make_project(root: Path) -> Project:
    """A small project with an off-by-one bug and a test that shows it."""
    project = Project(root)
    project.commit({"stock.py": STOCK, "tests/test_stock.py": TESTS, "pyproject.toml": SETTINGS})
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Made anew for each test; its path is not a nice one."""
    return make_project(tmp_path / "ein Lädchen")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Podium]:
    """A state directory nobody has used; whatever runs there is stopped at the end."""
    podium = Podium(tmp_path / "state")
    yield podium
    podium("down")
    assert podium.processes() == []


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podium]:
    """A house that stays up, shared by a module's tests."""
    podium = Podium(tmp_path_factory.mktemp("kept") / "state")
    up = podium("up")
    assert up.code == 0, up.err
    yield podium
    assert podium("down").code == 0
    assert podium.processes() == []
