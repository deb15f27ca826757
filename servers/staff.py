"""The members' processes: forked, heard, watched, started again when they die, ended.

Whoever holds a `Staff` has no threads, so that it can fork at any time.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from bus.serving import DRAIN_S
from contracts.failure import Failure
from servers.crew_member import CrewError
from servers.door import Door, Reply
from servers.housekeeping import Backoff, ended, fork, reap

log = logging.getLogger("house")

READY_S = 60.0
"""How long a member may take until it serves."""
_STOP_S = DRAIN_S + 2.0


class Named(Protocol):
    """Whoever is a process of a house; another value under the same name is somebody else."""

    @property
    def name(self) -> str:
        """By which they are known."""
        ...


@dataclass(frozen=True)
class Seat:
    """Of whoever serves no tools, the notary: what the house tells them."""

    name: str
    operator: str
    """The operator's public key, from the house's own folder: the broker's word for it would prove nothing."""


M = TypeVar("M", bound=Named)


class Staff(Generic[M]):
    """Processes by member."""

    def __init__(self, work: Callable[[M, Callable[[str], None]], int]) -> None:
        """`work`, in the fork, is to be this member; it tells an empty text once it serves, or why it cannot."""
        self._work = work
        self._working: dict[int, M] = {}
        self._backoff = Backoff()
        self._restart_at: dict[str, float] = {}
        self._wanted: dict[str, M] = {}

    def change(self, wanted: Mapping[str, M]) -> dict[int, M]:
        """End who is not wanted, or not as they are, and start who is missing.

        Returns the pipes on which those who were started tell how it went; see `heard`.
        """
        leaving = [pid for pid, member in self._working.items() if wanted.get(member.name) != member]
        self._end(leaving)
        self._restart_at = {name: at for name, at in self._restart_at.items() if self._wanted[name] == wanted.get(name)}
        self._wanted = dict(wanted)
        here = {member.name for member in self._working.values()} | set(self._restart_at)
        return {self._start(member): member for name, member in wanted.items() if name not in here}

    def dismiss(self, *names: str) -> None:
        """End who is not wanted any more, now that the broker still takes their last answers."""
        for name in names:
            self._wanted.pop(name, None)
            self._restart_at.pop(name, None)
        self._end([pid for pid, member in self._working.items() if member.name in names])

    def _start(self, member: M) -> int:
        reading, writing = os.pipe()

        def run() -> int:
            os.close(reading)
            return self._work(member, partial(_tell, writing))

        self._working[fork(run)] = member
        os.close(writing)
        return reading

    def mend(self) -> None:
        """Start again what has died, more slowly each time it dies young."""
        now = time.monotonic()
        for pid in ended(self._working):
            gone = self._working.pop(pid).name
            self._restart_at[gone] = now + self._backoff.delay(gone)
            log.error("%s died; it starts again in %.1f s", gone, self._restart_at[gone] - now)
        for name in [name for name, at in self._restart_at.items() if at <= now]:
            del self._restart_at[name]
            os.close(self._start(self._wanted[name]))

    def stop(self) -> None:
        """End everybody."""
        self._end(list(self._working))

    def _end(self, pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        left, deadline = set(pids), time.monotonic() + _STOP_S
        while left and time.monotonic() < deadline:
            left -= set(ended(left))
            time.sleep(0.005)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            reap(pid)
        for pid in pids:
            del self._working[pid]


def heard(pipe: int) -> str:
    """Why a member that has just told cannot serve; "" when it does. Closes the pipe."""
    told = os.read(pipe, select.PIPE_BUF)
    os.close(pipe)
    if not told:
        return "it ended while it was starting; see the log"
    return told.decode(errors="replace").strip()


def hear(starting: Mapping[int, Named], door: Door, reply: Reply = lambda failure: None) -> None:
    """Have `reply` told how it went with those who were started, once all of them have said so at `door`."""
    waiting, wrong = set(starting), list[str]()

    def told(pipe: int) -> None:
        door.unwatch(pipe)
        waiting.discard(pipe)
        if why := heard(pipe):
            wrong.append(f"{starting[pipe].name} cannot serve: {why}")
            log.error("%s", wrong[-1])
        if not waiting:
            reply(Failure(kind="unavailable", message="; ".join(wrong)) if wrong else None)

    for pipe in starting:
        door.watch(pipe, partial(told, pipe))
    if not starting:
        reply(None)


def await_ready(starting: Mapping[int, Named]) -> None:
    """Wait until everybody serves.

    Raises:
        CrewError: somebody cannot, or not in time.
    """
    waiting, deadline = dict(starting), time.monotonic() + READY_S
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            late = ", ".join(member.name for member in waiting.values())
            raise CrewError(f"not ready after {READY_S:.0f} s: {late}")
        for pipe in ready:
            member = waiting.pop(pipe)
            if why := heard(pipe):
                raise CrewError(f"{member.name}: {why}")


def _tell(pipe: int, why_not: str) -> None:
    # Fewer bytes than a pipe takes at once, so that all of it is there when there is something to read.
    with suppress(BrokenPipeError):  # nobody waits for one that was started again
        os.write(pipe, why_not.encode()[: select.PIPE_BUF - 1] + b"\n")
