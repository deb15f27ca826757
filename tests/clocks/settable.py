"""Runs a module in a process whose wall clock the harness can set, and that of what it forks.

    python -m tests.clocks.settable MODULE [ARG…]

`FORWARD` sets it ahead by a day, `BACK` back by a day; each is said in the pipe that `ENV` names. What counts seconds
goes on as it was, as on a machine whose clock is set. A house that the module starts is run in the same way. Nothing
but Python is deceived: neither git, nor the kernel's stamps on files, nor the broker, whose clock is what others are
measured by.
"""

from __future__ import annotations

import datetime
import os
import runpy
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

ENV = "PODIUM_TEST_CLOCKS"
"""The harness's pipe; beside it lies what a house is started with."""
AHEAD_ENV = "PODIUM_TEST_AHEAD_S"
"""How far the clock is ahead from the beginning."""
FORWARD, BACK = int(signal.SIGRTMIN) + 1, int(signal.SIGRTMIN) + 2
HOUSE = "servers.house_process"
DAY_S = 86_400

_real_time, _real_time_ns, _RealDatetime = time.time, time.time_ns, datetime.datetime
_ahead_s = int(os.environ.get(AHEAD_ENV, "0"))


class _Kind(type):
    """Whatever is a real one is one of these."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _RealDatetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _RealDatetime)


class _Datetime(_RealDatetime, metaclass=_Kind):
    """`datetime` by the clock that was set."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:  # a real one
        return _RealDatetime.now(tz) + datetime.timedelta(seconds=_ahead_s)


def _set(signum: int, frame: FrameType | None) -> None:
    global _ahead_s
    _ahead_s += DAY_S if signum == FORWARD else -DAY_S
    os.write(_told, b".")


def _settable() -> None:
    time.time = lambda: _real_time() + _ahead_s
    time.time_ns = lambda: _real_time_ns() + _ahead_s * 10**9
    datetime.datetime = _Datetime  # pyright: ignore[reportAttributeAccessIssue]  # for whoever imports it from here on
    for each in (FORWARD, BACK):
        signal.signal(each, _set)


if __name__ == "__main__":
    _told = os.open(os.environ[ENV], os.O_RDWR | os.O_CLOEXEC)
    _settable()
    module, *arguments = sys.argv[1:]
    if module != HOUSE:  # which starts none, and finds the broker beside it
        sys.executable = str(Path(os.environ[ENV]).with_name("python"))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
