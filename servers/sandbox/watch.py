"""The watchdog's eyes: memory and tasks of the tree, and what was written to the scratch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from servers.sandbox import tree
from servers.sandbox.order import Ceilings

TICK_S = 0.05
MANY_FILES = 20_000
FILE_BYTES = 4096
"""What a file counts at least, so that empty ones are not free."""


class Watchdog:
    """Looks every `TICK_S` seconds; `breach` names the limit that was passed."""

    def __init__(self, limits: Ceilings, scratch: Path, *, helpers: int) -> None:
        self.peak_memory_bytes = 0
        self._limits = limits
        self._scratch = scratch
        self._tasks = limits.processes + helpers
        self._highest_resident = 0
        self._began = Since()
        self._free = self._free_now()

    def breach(self) -> str | None:
        """`processes`, `memory`, `disk`, or None."""
        pids = tree.quick_descendants(os.getpid())
        now = tree.usage(pids)
        if now.tasks > self._tasks:
            return "processes"
        # PSS costs a walk over page tables: only where the cheap upper bound says something new.
        if now.resident_bytes > min(self._limits.memory_bytes, self._highest_resident * 1.05):
            self._highest_resident = max(self._highest_resident, now.resident_bytes)
            pss = tree.proportional_bytes(pids)
            self.peak_memory_bytes = max(self.peak_memory_bytes, pss)
            if pss > self._limits.memory_bytes:
                return "memory"
        return "disk" if self._disk_full(pids) else None

    def _free_now(self) -> tuple[int, int]:
        found = os.statvfs(self._scratch)
        return found.f_bfree * found.f_frsize, found.f_ffree

    def _disk_full(self, pids: list[int]) -> bool:
        """Whether the job wrote too much; measured file by file once the file system has filled noticeably."""
        free_bytes, free_files = self._free_now()
        shrunk = self._free[0] - free_bytes
        if shrunk < self._limits.disk_bytes // 4 and self._free[1] - free_files < MANY_FILES:
            # What others free meanwhile must not hide what this job writes.
            self._free = (max(self._free[0], free_bytes), max(self._free[1], free_files))
            return False
        self._free = (free_bytes, free_files)
        sizes = {(s.st_dev, s.st_ino): max(s.st_blocks * 512, FILE_BYTES) for s in self._written(pids)}
        return sum(sizes.values()) > self._limits.disk_bytes

    def _written(self, pids: list[int]) -> Iterator[os.stat_result]:
        since = self._began.stamp()
        for folder, folders, files in os.walk(self._scratch):
            for name in (*folders, *files):
                try:
                    found = os.lstat(os.path.join(folder, name))
                except OSError:
                    continue  # removed meanwhile, or too deep to name
                if found.st_ctime >= since:
                    yield found
        for pid in pids:
            yield from _unlinked(pid)


class Since:
    """What the kernel stamps files with from now on, although its clock may be set back meanwhile."""

    def __init__(self, wall: Callable[[], float] = time.time, counted: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._counted = wall, counted
        self._began, self._began_counted = wall(), counted()

    def stamp(self) -> float:
        """The earliest; after the clock was set back as much earlier: rather is too much counted than too little."""
        return min(self._began, self._wall() - (self._counted() - self._began_counted))


def _unlinked(pid: int) -> Iterator[os.stat_result]:
    """Files `pid` holds open that have no name any more, but their blocks still."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        try:
            found = os.stat(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if found.st_nlink == 0:
            yield found
