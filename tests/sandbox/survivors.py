"""Jobs with daemons whose guards are killed: nothing may outlive Podium, whichever of its processes dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from servers.sandbox import tree
from tests.sandbox.cells import HOLD, all_gone, is_gone, scratch_root

DAEMONS = """
import ctypes, signal
signal.alarm(60)
ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # no parent's death is to end it
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
from tests.sandbox.cells import policy, python_for
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


async def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    with anyio.fail_after(60):
        return (await anyio.to_thread.run_sync(process.stdout.readline)).strip()


@dataclass(frozen=True)
class Guards:
    """The processes of Podium's around a job."""

    specialist: subprocess.Popen[str]
    keeper: int
    wardens: tuple[int, ...]


def kill_specialist(guards: Guards) -> None:
    """kill -9 of the process that asked."""
    guards.specialist.kill()


def kill_keeper(guards: Guards) -> None:
    """kill -9 of the keeper: its wardens end what they guard."""
    os.kill(guards.keeper, signal.SIGKILL)


def kill_warden(guards: Guards) -> None:
    """kill -9 of the warden: the keeper ends what it left."""
    (warden,) = guards.wardens
    os.kill(warden, signal.SIGKILL)


def kill_both(guards: Guards) -> None:
    """Nobody of Podium but the warden is left."""
    guards.specialist.kill()
    os.kill(guards.keeper, signal.SIGKILL)


def kill_both_with_wardens_stopped(guards: Guards) -> None:
    """The warden was suspended meanwhile."""
    for pid in guards.wardens:
        os.kill(pid, signal.SIGSTOP)
    kill_both(guards)
    for pid in guards.wardens:
        os.kill(pid, signal.SIGCONT)


KILLS: dict[str, Callable[[Guards], None]] = {
    "the specialist": kill_specialist,
    "the keeper": kill_keeper,
    "a warden": kill_warden,
    "specialist and keeper": kill_both,
    "specialist and keeper, wardens stopped": kill_both_with_wardens_stopped,
}
TOLD = frozenset({kill_keeper, kill_warden})
"""After these the specialist lives: it learns that its job did not come to an end."""


async def survive(backend: str, kill: Callable[[Guards], None]) -> str:
    """Kill guards of a job that left daemons; what the specialist said of it afterwards, "" if it is gone, too.

    Raises:
        TimeoutError: a process of the job is still there.
    """
    with scratch_root() as root, specialist(backend, root) as process:
        keeper = int(await line(process))
        assert not is_gone(root / "job")
        wardens = tuple(pid for pid in tree.descendants(keeper) if tree.parent(pid) == keeper)
        kill(Guards(process, keeper, wardens))
        await all_gone(root / "job")
        return await line(process) if kill in TOLD else ""
