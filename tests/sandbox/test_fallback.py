"""Where user namespaces are forbidden, as in many containers, the next backend takes over by itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from servers.sandbox import landlock
from servers.sandbox.backends.base import Backend
from servers.sandbox.backends.unconfined import Unconfined
from servers.sandbox.canary import breaches
from servers.sandbox.order import Policy, SetUpFailed
from tests.sandbox.cells import available, scratch_root

LOCKED_DOWN = """
import json, sys, anyio
from pathlib import Path
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import Job, SandboxUnavailable
from servers.sandbox.order import BACKENDS, Policy
from servers.sandbox.system import interpreter
from tests.sandbox.lesser_machine import lessen
from tests.sandbox.cells import python_for

lessen(without_landlock="no landlock" in sys.argv)

async def main():
    root = Path(sys.argv[1])
    try:
        rules = Policy(root, interpreter(), backends=BACKENDS, python=python_for("seccomp"))
        async with KeptSandbox(start_keeper(rules)) as sandbox:
            (root / "job").mkdir()
            argv = (str(rules.python), "-I", "-c", "print('ran')")
            finished = await sandbox.run(Job(argv=argv, scratch=root / "job", read_only=interpreter()))
            print(json.dumps([finished.report.backend, finished.report.level, finished.output.decode()]))
    except SandboxUnavailable as error:
        print(json.dumps(["none", "none", str(error)]))

anyio.run(main)
"""


def test_the_canary_asks_nobody_for_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the system does not know, as in many containers, has none: the policy's is taken."""
    homes: list[Path] = []

    def start(backend: Backend, policy: Policy, door: socket.socket) -> None:
        homes.append(policy.home)
        kept.append(door.dup())
        kept[0].shutdown(socket.SHUT_WR)

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    kept: list[socket.socket] = []
    with scratch_root() as root:
        rules = Policy(scratch_root=root, home=Path("/nowhere"))
        monkeypatch.setattr(Path, "home", unknown)
        with pytest.raises(SetUpFailed, match="did not run"):
            breaches(Unconfined(), rules, start)
    kept[0].close()
    assert homes == [Path("/nowhere")]


def locked_down(*lacking: str) -> list[str]:
    """Backend, level and output of a job, in a process tree without namespaces and what else is `lacking`."""
    with scratch_root() as root:
        done = subprocess.run(
            [sys.executable, "-c", LOCKED_DOWN, str(root), *lacking],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_user_namespaces_landlock_takes_over() -> None:
    """bubblewrap cannot start; the level says what is left."""
    expected = [name for name in ("landlock", "seccomp") if name in available()]
    levels = {"landlock": "reduced" if landlock.abi() >= 6 else "weak", "seccomp": "weak"}
    assert locked_down() == [expected[0], levels[expected[0]], "ran\n"]


def test_without_landlock_too_seccomp_is_left() -> None:
    """The last resort takes over, and says that it is weak."""
    assert locked_down("no landlock") == ["seccomp", "weak", "ran\n"]
