"""A disk whose power can be cut: what was not written to it by then is gone, as with the plug pulled.

An ext4 file system on a loop device. The cut is the kernel's own (`EXT4_IOC_SHUTDOWN` without flushing the log, which
xfstests uses for the same): from one moment to the next nothing more leaves the page cache, and mounting it again
replays the journal. A disk's own volatile cache is not simulated: what was written counts as on disk.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from pathlib import Path
from typing import Protocol

_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSHING_THE_LOG = struct.pack("I", 2)
_BYTES = 256 << 20


class Power(Protocol):
    """Of the disk that the ledger is on."""

    name: str

    def cut(self) -> None:
        """From now on nothing gets to the disk."""
        ...

    def back(self) -> None:
        """The disk as it was at the cut. Whoever had files open there must be gone."""
        ...

    def remove(self) -> None:
        """Leave the folder without the disk."""
        ...


class Ext4:
    """The disk, mounted on `folder`. Needs a root's rights and a mount namespace of one's own."""

    name = "ext4 on a loop device, cut by the kernel"

    def __init__(self, folder: Path) -> None:
        """Make and mount it.

        Raises:
            OSError: the kernel, or a missing program, denies it.
        """
        self._folder = folder
        self._canary = folder / "canary"
        self._image = folder.with_suffix(".img")
        with self._image.open("wb") as image:
            image.truncate(_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.back()

    def cut(self) -> None:
        self._canary.write_text("not synced, so a disk whose power is cut must not have it")
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, _WITHOUT_FLUSHING_THE_LOG)
        finally:
            os.close(folder)

    def back(self) -> None:
        self.remove()
        _run("mount", "-o", "loop", str(self._image), str(self._folder))
        assert not self._canary.exists() or not self._canary.read_text(), "this disk keeps what nobody synced"

    def remove(self) -> None:
        if self._folder.is_mount():
            _run("umount", str(self._folder))


class Processes:
    """What is left to try where there is no disk to be had: the broker is killed, and the page cache survives."""

    name = "no disk to be had: the broker is killed only"

    def cut(self) -> None:
        pass

    def back(self) -> None:
        pass

    def remove(self) -> None:
        pass


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as wrong:
        raise OSError(f"{command[0]}: {wrong.stderr.strip()}") from wrong
