"""Does a piece of work in a forked child that cannot outlive, block or spoil its parent."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

ANSWER_BYTES = 32 << 20
FILE_BYTES = 64 << 20
DATA_BYTES = 1 << 30


class Leave(Protocol):
    """Says something and ends the child there and then: what is left of a pytest run may cost more than its tests."""

    def __call__(self, data: dict[str, Any]) -> None:
        """Never returns."""


@dataclass(frozen=True)
class Answer:
    """What a child said, or how it ended without: `said`, `hung` or `crashed`."""

    ended: str
    data: dict[str, Any]
    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Bounds:
    """Seconds a child may take."""

    cpu_s: float
    wall_s: float

    def plus(self, other: Bounds) -> Bounds:
        """Time for both."""
        return Bounds(self.cpu_s + other.cpu_s, self.wall_s + other.wall_s)


class Nursery:
    """Forks children, one at a time. `close` lists descriptors a child must not have."""

    def __init__(self, close: tuple[int, ...] = (), spare: int = 0) -> None:
        self._close = close
        self._spare = spare
        self._null = os.open(os.devnull, os.O_RDWR)
        adopt_orphans()

    def do(self, work: Callable[[Leave], dict[str, Any]], bounds: Bounds) -> Answer:
        """Run `work` in a child and return what it returned, or left with, read as JSON."""
        read, write = os.pipe()
        started = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 3.12 warns of threads at a fork; the child uses none of them
            pid = os.fork()
        if pid == 0:
            os.close(read)
            self._child(work, write, bounds)
        os.close(write)
        text, late = _listen(read, pid, started + bounds.wall_s)
        os.close(read)
        _kill_group(pid)
        _, status, usage = os.wait4(pid, 0)
        self._sweep()
        cpu_s, wall_s = usage.ru_utime + usage.ru_stime, time.monotonic() - started
        try:
            return Answer("said", dict(json.loads(text)), cpu_s, wall_s)
        except (ValueError, TypeError):
            # A child that disarmed its timer is killed by the kernel's own limit, which says no more than SIGKILL.
            out_of_time = os.WIFSIGNALED(status) and (
                os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGXCPU) or cpu_s >= bounds.cpu_s
            )
            return Answer("hung" if late or out_of_time else "crashed", {}, cpu_s, wall_s)

    def _child(self, work: Callable[[Leave], dict[str, Any]], write: int, bounds: Bounds) -> None:
        """Never returns."""

        def leave(data: dict[str, Any]) -> None:
            view = memoryview(json.dumps(data).encode() + b"\n")
            while view:
                view = view[os.write(write, view) :]
            os._exit(0)

        try:
            os.setpgid(0, 0)
            for fd in self._close:
                os.close(fd)
            for fd in (0, 1, 2):
                os.dup2(self._null, fd)
            _limit(bounds)
            leave(work(leave))
        finally:
            os._exit(0)

    def _sweep(self) -> None:
        """End what the child left running, wherever it moved to."""
        until = time.monotonic() + 2
        while time.monotonic() < until:
            left = [pid for pid in _children() if pid != self._spare] if self._spare else None
            if left is None:
                try:
                    if os.waitpid(-1, os.WNOHANG)[0]:
                        continue
                except ChildProcessError:
                    return
                left = _children()
            elif not left:
                return
            for pid in left:
                _kill(pid)
            for pid in left:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    continue


def adopt_orphans() -> None:
    """Become the parent of descendants that lost theirs (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return  # then they go to the sandbox's first process, and end with the sandbox


def _limit(bounds: Bounds) -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, bounds.cpu_s)
    hard = int(bounds.cpu_s) + 2
    for which, limit in (
        (resource.RLIMIT_CPU, hard),  # the timer can be reset by the code it is for, this cannot
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_DATA, DATA_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(which)
        if most == resource.RLIM_INFINITY or most > limit:
            resource.setrlimit(which, (limit, limit))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _listen(fd: int, pid: int, until: float) -> tuple[bytes, bool]:
    """The child's line, and whether time ran out before it came."""
    text = bytearray()
    gone = False
    while not text.endswith(b"\n"):
        left = until - time.monotonic()
        if left <= 0:
            return bytes(text), True
        ready, _, _ = select.select([fd], [], [], min(left, 0.05))
        if ready:
            part = os.read(fd, 1 << 16)
            text += part
            if not part or len(text) > ANSWER_BYTES:
                break
        elif gone:
            break  # a grandchild holds the pipe open; the one who was to answer is no more
        else:
            gone = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return bytes(text), False


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        _kill(pid)  # it had not moved to its own group yet


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


def _children() -> list[int]:
    me = os.getpid()
    found: list[int] = []
    try:
        names = os.listdir("/proc")
    except OSError:  # a sandbox that shows nobody but ourselves
        return _own_children(me)
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                after = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(after[1]) == me:
            found.append(int(name))
    return found


def _own_children(me: int) -> list[int]:
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []  # they end with the sandbox
