"""Nothing outlives Podium: whichever of its processes is killed, the job's tree goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from servers.sandbox import tree
from tests.sandbox.world import HOLD, all_gone, is_gone, scratch_root

DAEMONS = """
import signal
signal.alarm(60)
ready, go = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        os.write(go, b"!")
        signal.alarm(60)
        signal.pause()
os.read(ready, 1); os.read(ready, 1)
tell("up")
signal.pause()
"""

SPECIALIST = """
import sys, anyio
from pathlib import Path
from tests.sandbox.world import policy, python_for
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import Job
from servers.sandbox.system import interpreter

async def hear(line):
    print(keeper.process.pid, flush=True)

async def main():
    global keeper
    backend, root, code = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    keeper = start_keeper(policy(root, backend))
    async with KeptSandbox(keeper) as sandbox:
        argv = (str(python_for(backend)), "-I", "-c", code)
        try:
            await sandbox.run(Job(argv=argv, scratch=root / "job", read_only=interpreter()), hear)
        except Exception as error:
            print(type(error).__name__, flush=True)
            sys.stdin.read()

anyio.run(main)
"""


@contextmanager
def specialist(backend: str, root: Path) -> Generator[subprocess.Popen[str]]:
    """A process of its own, running a job that left daemons behind."""
    (root / "job").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SPECIALIST, backend, str(root), HOLD + DAEMONS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    with anyio.fail_after(60):
        return (await anyio.to_thread.run_sync(process.stdout.readline)).strip()


async def test_killing_the_specialist_ends_its_jobs(backend: str) -> None:
    """kill -9 of the process that asked."""
    with scratch_root() as root, specialist(backend, root) as process:
        assert (await _line(process)).isdigit()
        assert not is_gone(root / "job")
        process.kill()
        await all_gone(root / "job")


async def test_killing_the_keeper_ends_its_jobs(backend: str) -> None:
    """kill -9 of the keeper: its wardens end what they guard, and the specialist learns of it."""
    with scratch_root() as root, specialist(backend, root) as process:
        os.kill(int(await _line(process)), signal.SIGKILL)
        await all_gone(root / "job")
        assert await _line(process) == "SandboxUnavailable"


async def test_killing_a_warden_ends_its_job(backend: str) -> None:
    """kill -9 of the warden: the keeper ends what it left, and the specialist gets an error, not a result."""
    with scratch_root() as root, specialist(backend, root) as process:
        keeper = int(await _line(process))
        (warden,) = [pid for pid in tree.descendants(keeper) if tree.parent(pid) == keeper]
        os.kill(warden, signal.SIGKILL)
        await all_gone(root / "job")
        assert await _line(process) == "SandboxUnavailable"


@pytest.mark.parametrize("victims", ["specialist and keeper", "specialist, keeper and wardens stopped"])
async def test_killing_several_at_once_ends_the_jobs(backend: str, victims: str) -> None:
    """Also when nobody of Podium but the warden is left, or it was suspended meanwhile."""
    with scratch_root() as root, specialist(backend, root) as process:
        keeper = int(await _line(process))
        wardens = [pid for pid in tree.descendants(keeper) if tree.parent(pid) == keeper]
        if "stopped" in victims:
            for pid in wardens:
                os.kill(pid, signal.SIGSTOP)
        process.kill()
        os.kill(keeper, signal.SIGKILL)
        for pid in wardens:
            os.kill(pid, signal.SIGCONT)
        await all_gone(root / "job")
