"""`weak`: what older kernels and locked-down containers leave — no sockets, limits, a scratch copy, and as
root a throw-away uid that owns nothing else."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from servers.sandbox import linux
from servers.sandbox.backends.base import CHANNEL_FD, Pipes, Running
from servers.sandbox.backends.landlock import tasks_of_user
from servers.sandbox.order import Order, SetUpFailed
from servers.sandbox.spawn import resource_limits, spawn
from servers.sandbox.syscalls import job_filter, supported
from servers.sandbox.system import closed_to_others

LONGEST_PATH = 4096
"""Bytes, its end included: PATH_MAX."""

NOTES = (
    "no sockets, shared memory or POSIX semaphores: tests that need them fail here",
    "world-writable folders such as /tmp are shared with the rest of the system",
)
ROOT_NOTES = ("files and command lines that every user may read can be read",)
USER_NOTES = (
    "whatever this user can read or change, the program can too: only its sockets are taken",
    "signals to this user's other processes are not stopped",
)


class Seccomp:
    """Runs jobs below a seccomp filter only."""

    name = "seccomp"
    level = "weak"

    def __init__(self) -> None:
        """Look at who we are.

        Raises:
            SetUpFailed: an architecture whose system calls are not known here.
        """
        if not supported():
            raise SetUpFailed(f"no seccomp filter for {linux.machine()}")
        self._root = os.geteuid() == 0
        self.notes = NOTES + (ROOT_NOTES if self._root else USER_NOTES)
        self.tolerated = frozenset[str]() if self._root else frozenset({"read", "write", "signal"})

    def start(self, order: Order, pipes: Pipes) -> Running:
        """See `Backend`."""
        uid = _throw_away_uid() if self._root else os.geteuid()
        if self._root:
            _see_that_all_is_open(order)

        def confine() -> None:
            os.chdir(order.scratch / order.cwd)
            if self._root:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                # Changing the uid cleared it.
                linux.die_with_parent(parent)
            linux.drop_capabilities()
            linux.no_new_privileges()
            linux.install_filter(job_filter(loopback=False, metadata=True))

        parent = os.getpid()
        others = 0 if self._root else tasks_of_user()
        limits = resource_limits(order.limits) | {resource.RLIMIT_NPROC: others + order.limits.processes}
        if self._root:
            give(order.scratch, uid)
        pid = spawn(order.argv, order.environment(CHANNEL_FD), pipes.placed(), limits=limits, confine=confine)

        def finish(wait_status: int) -> int:
            if self._root:
                give(order.scratch, 0)
            return os.waitstatus_to_exitcode(wait_status)

        return Running(pid=pid, helpers=0, finish=finish)


def _see_that_all_is_open(order: Order) -> None:
    for what, path in (("program", Path(order.argv[0])), ("scratch folder", order.scratch)):
        closed = closed_to_others(path) if path.is_absolute() else None
        if closed is not None:
            raise SetUpFailed(
                f"root's programs run here as a user who owns nothing, who cannot pass {closed} to the {what} {path}"
            )


def give(root: Path, uid: int) -> None:
    """Change the owner of everything at and below `root`; called while no job runs in it."""
    for path in (root, *_below(root)):
        found = path.lstat()
        # A hard link may name a file that lives elsewhere, too.
        if found.st_nlink == 1 or path.is_dir():
            os.lchown(path, uid, uid)


def _below(root: Path) -> Iterator[Path]:
    """What is nested too deep for a path is left out: nobody but root gets there."""
    left = [os.fspath(root)]
    while left:
        with suppress(OSError), os.scandir(left.pop()) as entries:
            for entry in entries:
                if len(os.fsencode(entry.path)) < LONGEST_PATH:
                    yield Path(entry.path)
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)


def _throw_away_uid() -> int:
    """An id nobody has: the top of the largest range this user namespace maps."""
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    first, count = max(((int(a), int(c)) for a, _, c in map(str.split, lines)), key=lambda entry: entry[1])
    end = min(first + count, 1 << 31)
    span = 1 << 20 if count > 1 << 21 else min(count // 8, 4096)
    if span < 1:
        raise SetUpFailed("this user namespace maps no spare uid")
    # The last ones are nobody's (65534) and -1's.
    return end - 100 - random.SystemRandom().randrange(span)
