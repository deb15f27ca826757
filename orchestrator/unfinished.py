"""Runs that were begun here and have not ended, and whether somebody is at work on them.

There is a file for each, which whoever conducts the run holds locked: the ledger cannot say whether a process lives,
and the kernel takes its lock from whatever dies. Where the run stands is the ledger's to say.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from bus.bus import Bus
from bus.mandates import mandate_of
from contracts.base import Model, UtcTime
from orchestrator import gates
from orchestrator.errors import Torn, UnknownRun
from orchestrator.runs import started, state_of


class Left(Model):
    """A run that nobody is at work on."""

    run: str
    stands: Literal["interrupted", "answered", "waiting"]
    """interrupted: its orchestrator went away in the middle, or at the end before it had withdrawn the run's mandate.
    waiting: at a gate, for a person. answered: it was."""
    gate: str = ""
    workflow: str
    request: str
    since: UtcTime

    @property
    def can_go_on(self) -> bool:
        """Whether it needs nobody but an orchestrator now."""
        return self.stands != "waiting"


@contextmanager
def at_work(folder: Path, run: str) -> Generator[None]:
    """Be known to conduct `run`. Several may be for a moment: which of them advances it, the ledger decides.

    Raises:
        OSError: `folder` cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(folder / run, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


def forget(folder: Path, run: str) -> None:
    """It has ended."""
    (folder / run).unlink(missing_ok=True)


def abandoned(folder: Path) -> tuple[str, ...]:
    """The runs nobody is at work on, by name."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return tuple(file.name for file in files if not _held(file))


async def left_over(bus: Bus, folder: Path) -> tuple[Left, ...]:
    """Where those stand that nobody is at work on, in the order they were begun; torn ones cannot be gone on with."""
    names = abandoned(folder)
    begun = {event.run: place for place, event in enumerate(reversed(await started(bus)))} if len(names) > 1 else {}
    found: list[Left] = []
    for run in sorted(names, key=lambda name: begun.get(name, -1)):
        try:
            state = await state_of(bus, run)
        except UnknownRun:  # its orchestrator died before it had stored anything
            forget(folder, run)
            continue
        except Torn:
            continue
        if state.ended and await mandate_of(bus, run) is None:
            forget(folder, run)
            continue
        gate = None if state.ended else state.open_gate
        waits = gate is not None and await gates.pending(bus, state) is not None
        found.append(
            Left(
                run=run,
                stands="waiting" if waits else "answered" if gate else "interrupted",
                gate=gate.gate if gate else "",
                workflow=state.task.workflow,
                request=state.task.request or ", ".join(state.task.tests),
                since=state.updated_at,
            )
        )
    return tuple(found)


def _held(file: Path) -> bool:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # it has just ended
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
