"""A process tree as /proc shows it: who is in it, what it uses, and how to end all of it."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass

PAGE = os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(65536)
    except OSError:
        return b""  # it ended, or is not ours to see


def parent(pid: int) -> int | None:
    """The parent of `pid`; None when it has ended."""
    # The command's name may hold spaces and parentheses: count from the last one.
    after = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(after[1]) if len(after) > 1 else None


def _parents() -> dict[int, int]:
    """Every process's parent."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            above = parent(int(name))
            if above is not None:
                parents[int(name)] = above
    return parents


def descendants(root: int, spare: frozenset[int] = frozenset()) -> list[int]:
    """Everything below `root` but `spare` and what is below those, parents first; from one look at /proc."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found = [pid for pid in children.get(root, ()) if pid not in spare]
    for pid in found:
        found.extend(child for child in children.get(pid, ()) if child not in spare)
    return found


def quick_descendants(root: int) -> list[int]:
    """As `descendants`, by the kernel's own lists: cheap, but may miss what is being born."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            children = [int(word) for word in _read(f"/proc/{pid}/task/{task}/children").split()]
            found.extend(children)
            waiting.extend(children)
    return found


@dataclass(frozen=True)
class Usage:
    """What a tree holds now."""

    tasks: int
    resident_bytes: int
    """Shared pages are counted once for each process: an upper bound."""


def usage(pids: list[int]) -> Usage:
    """Tasks (processes and threads) and resident memory."""
    tasks = resident = 0
    for pid in pids:
        stat = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if len(stat) > 21:
            tasks += int(stat[17])
            resident += max(int(stat[21]), 0) * PAGE
    return Usage(tasks=tasks, resident_bytes=resident)


def proportional_bytes(pids: list[int]) -> int:
    """PSS of the tree: shared pages are divided among those who map them."""
    total = 0
    for pid in pids:
        pss = _field(_read(f"/proc/{pid}/smaps_rollup"), b"Pss:")
        # A program that made itself undumpable is counted in full.
        total += pss if pss is not None else usage([pid]).resident_bytes
    return total


def _field(text: bytes, name: bytes) -> int | None:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


def reap() -> tuple[dict[int, int], bool]:
    """Collect ended children: pid to wait status, and whether any child is left."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status


def end_everything(spare: frozenset[int] = frozenset()) -> dict[int, int]:
    """Kill all descendants of this process but `spare` (and theirs), and wait until none is left.

    Freeze first, so that nothing forks away while it is being killed; this process must be their
    subreaper. Returns the wait statuses of those that were its children.
    """
    ended: dict[int, int] = {}
    me = os.getpid()
    # Blocked, it stays pending and wakes the wait below, whenever it comes.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        while True:
            collected, left = reap()
            ended |= collected
            # Orphans come to their subreaper: without a child there is no descendant.
            if not left:
                return ended
            frozen: set[int] = set()
            while new := set(descendants(me, spare)) - frozen:
                _signal(new, signal.SIGSTOP)
                frozen |= new
            if not frozen:
                return ended  # only what was to be spared
            _signal(frozen, signal.SIGKILL)
            # The next child's end, or time to look again for one that belongs to another parent.
            signal.sigtimedwait([signal.SIGCHLD], 0.02)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
