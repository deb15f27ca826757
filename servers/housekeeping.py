"""Processes of a house: forking, reaping, signals, and how long to wait before trying again."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from types import FrameType

from servers.heap import give_large_blocks_back

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_SETTLED_S = 30.0


def fork(work: Callable[[], int | None]) -> int:
    """Run `work` in a child that dies with this process; returns the child's pid. Its result is the exit status."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        give_large_blocks_back()
        if os.getppid() == parent:
            signal.set_wakeup_fd(-1)
            for caught in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(caught, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever pressed ^C asks the house, not each of us
            status = work() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def fork_asking(work: Callable[[], str]) -> tuple[int, int]:
    """Run `work` in such a child; its pid, and the pipe on which its answer can be read to the end."""
    reading, writing = os.pipe()

    def tell() -> None:
        with os.fdopen(writing, "w") as answer:
            answer.write(work())

    pid = fork(tell)
    os.close(writing)
    return pid, reading


def reap(pid: int) -> int:
    """Wait for a child; its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ended(pids: Iterable[int]) -> list[int]:
    """Those of these children that have ended, reaped."""
    return [pid for pid in list(pids) if os.waitpid(pid, os.WNOHANG)[0] == pid]


class Signals:
    """SIGTERM and SIGINT ask to stop; they and SIGCHLD make `wake` readable."""

    def __init__(self) -> None:
        self.told_to_stop = False
        self.wake, self._waker = socket.socketpair()
        self.wake.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._noticed)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _noticed(self, number: int, frame: FrameType | None) -> None:
        """The wakeup descriptor tells."""

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.told_to_stop = True

    def drain(self) -> None:
        """Take what `wake` holds."""
        try:
            self.wake.recv(4096)
        except BlockingIOError:
            return


class Backoff:
    """Longer waits for whoever dies young again and again."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}

    def delay(self, name: str) -> float:
        """Seconds to wait before `name` is started again."""
        now = time.monotonic()
        at, before = self._last.get(name, (0.0, 0.0))
        delay = _FIRST_DELAY_S if now - at > _SETTLED_S else min(before * 2, _LONGEST_DELAY_S)
        self._last[name] = (now, delay)
        return delay
