"""Run an attack without a sandbox, as a tool that just runs tests would: so it is shown to be one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.cells import is_gone

WAIT_S = 60


@dataclass(frozen=True)
class Ended:
    """What an unconfined program left."""

    channel: bytes
    output: bytes
    survived: bool
    """Whether a process of it was still there when it had ended."""


@contextmanager
def unconfined(code: str, args: tuple[str, ...], scratch: Path) -> Generator[Ended]:
    """Python `code` after it has run in `scratch`, open descriptors inherited; what it left running ends afterwards."""
    scratch.mkdir()
    with (scratch / "channel").open("wb") as channel, (scratch / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, *args],
            cwd=scratch,
            env={"PODIUM_CHANNEL": str(channel.fileno()), "PODIUM_BARE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            close_fds=False,
            preexec_fn=lambda: os.set_inheritable(channel.fileno(), True),
        )
        try:
            process.wait(WAIT_S)
            said = [(scratch / name).read_bytes() for name in ("channel", "output")]
            yield Ended(*said, survived=not is_gone(scratch))
        finally:
            process.kill()
            process.wait()
            _end(scratch / "lock")


def _end(lock: Path) -> None:
    """Kill whoever holds the file that `cells.HOLD` opened, as often as it takes."""
    while not is_gone(lock.parent):
        for fd in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                if fd.readlink() == lock:
                    os.kill(int(fd.parts[2]), signal.SIGKILL)
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
