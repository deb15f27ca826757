"""File systems of a test's own, in a mount namespace of its own: nothing of them is seen outside or outlives it.

python -m tests.namespaces FOLDER BYTES          a tmpfs on FOLDER for as long as standard input is open
python -m tests.namespaces --within PID COMMAND  a command that sees what process PID sees
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_NEW_MOUNTS = 0x00020000
_NEW_USER = 0x10000000
_MADE = "made"


def leave_the_mounts() -> None:
    """Give this process mounts of its own; a user who may not have them becomes root of a namespace of users.

    Raises:
        OSError: the kernel denies it.
    """
    uid, gid = os.getuid(), os.getgid()
    if os.geteuid() == 0:
        _check(_libc().unshare(_NEW_MOUNTS), "unshare")
    else:
        _check(_libc().unshare(_NEW_MOUNTS | _NEW_USER), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    private = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
    _check(_libc().mount(b"none", b"/", None, private, None), "mount")


def mount(kind: str, device: str, folder: Path, options: str) -> None:
    """Mount it.

    Raises:
        OSError: the kernel denies it.
    """
    _check(_libc().mount(device.encode(), os.fsencode(folder), kind.encode(), 0, options.encode()), f"mount {folder}")


class SmallDisk:
    """A folder that is a file system of its own, for whoever is started with `command`."""

    def __init__(self, folder: Path, holder: int) -> None:
        self._holder = holder
        self._filler = Path(f"/proc/{holder}/root{folder}") / "filler"

    def command(self, *words: str) -> list[str]:
        """What starts `words` where the disk is."""
        return [sys.executable, "-m", "tests.namespaces", "--within", str(self._holder), *words]

    def fill(self) -> None:
        """Take all the room that is left."""
        try:
            with self._filler.open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(1 << 16))
        except OSError:
            return

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Generator[SmallDisk | None]:
    """A disk of `size` bytes on `folder`; None where the kernel denies it."""
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.namespaces", str(folder), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        made = holder.stdout.readline().strip() == _MADE
        yield SmallDisk(folder, holder.pid) if made else None
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _hold(folder: Path, size: int) -> None:
    leave_the_mounts()
    mount("tmpfs", "tmpfs", folder, f"size={size}")
    sys.stdout.write(_MADE + "\n")
    sys.stdout.flush()
    sys.stdin.read()


def _within(pid: int, command: list[str]) -> None:
    here = os.getcwd()
    if os.geteuid() != 0:
        with open(f"/proc/{pid}/ns/user") as users:
            _check(_libc().setns(users.fileno(), _NEW_USER), "setns")
    with open(f"/proc/{pid}/ns/mnt") as mounts:
        _check(_libc().setns(mounts.fileno(), _NEW_MOUNTS), "setns")
    os.chdir(here)
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1] == "--within":
        _within(int(sys.argv[2]), sys.argv[3:])
    else:
        _hold(Path(sys.argv[1]), int(sys.argv[2]))
