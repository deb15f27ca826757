"""On kernels with an older Landlock the files stay guarded; what is not is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from servers.sandbox import landlock
from tests.sandbox.attacks import ATTACKS, PRELUDE, Attack
from tests.sandbox.cells import scratch_root
from tests.sandbox.world import world

ONE_JOB = """
import os, sys
from pathlib import Path
from servers.sandbox.backends.base import Pipes
from servers.sandbox.backends.landlock import Landlock
from servers.sandbox.canary import LIMITS
from servers.sandbox.order import Order
from servers.sandbox.system import interpreter

backend = Landlock(newest=int(sys.argv[1]))
order = Order((sys.executable, "-I", "-c", *sys.argv[3:]), Path(sys.argv[2]), ".", interpreter(), {}, LIMITS)
null = os.open("/dev/null", os.O_RDWR)
running = backend.start(order, Pipes(null, 2, 1))
running.finish(os.waitpid(running.pid, 0)[1])
print(backend.level, backend.notes[-1], sep="\\n")
"""

ON_FILES = [attack for attack in ATTACKS if "outside" in attack.name] + [
    Attack("truncate by opening to read", "os.open(TARGET, os.O_RDONLY | os.O_TRUNC)"),
    Attack("connect by TCP", "socket.create_connection(('127.0.0.1', TCP), 5); breach()"),
]


@pytest.mark.parametrize("version", [version for version in (1, 2, 3, 5) if version < landlock.abi()])
@pytest.mark.parametrize("attack", ON_FILES, ids=lambda a: a.name)
def test_files_and_network_stay_closed(attack: Attack, version: int) -> None:
    """What the older ABI does not know, the filter denies; the level is weak and a note says why."""
    with scratch_root() as scratch, world() as target:
        done = subprocess.run(
            [sys.executable, "-c", ONE_JOB, str(version), str(scratch), PRELUDE + attack.code, *target.names()],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert not target.harm()
    assert done.stdout == f"weak\nLandlock ABI {version} does not stop signals to other processes\n", done.stderr
