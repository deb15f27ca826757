"""Named crash points: the boundaries at which the survival harness has a process killed, to see what comes of it.

Each is a line in the code beside what it is about; nothing happens there unless the process was started with
`PODIUM_CRASH_POINTS` in its environment. No option, file or repository can name it, and whoever sandboxes code or
starts foreign programs hands them an environment of their own. The variable names a folder of the harness
(`tests/survival/control.py` makes it, docs/survival.md describes it):

- `orders`: lines of `POINT PROCESS NTH ACTION`, read at each passage. NTH `*` is every passage; `die` is SIGKILL by
  the process to itself, `hold` says so in `told` and waits for a byte from `go`.
- `passed`: a line `POINT PROCESS PID` for each passage, written under a lock, so that each is the nth once only.

Everything is opened before a process confines itself, because afterwards it may not.
"""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path
from threading import Lock
from typing import Literal, get_args

ENV = "PODIUM_CRASH_POINTS"

Point = Literal[
    # bus/nats_bus.py: the acknowledgement of a delivery
    "ack.before",
    "ack.after",
    # bus/caller.py: a call
    "call.before_store",
    "call.after_store",
    "call.answered",
    # bus/serving.py: its execution and its result
    "execute.before",
    "execute.after",
    "result.before_store",
    "result.after_store",
    # bus/lives.py: the note of an execution of a call that was delivered before
    "note.before_store",
    "note.after_store",
    # bus/notary.py: a checkpoint
    "sign.before_store",
    "sign.after_store",
    "sign.after_file",
    # orchestrator/journal.py, engine.py, gates.py: what a run decides
    "event.before_store",
    "event.after_store",
    "value.before",
    "value.after",
    "request.before_store",
    "request.after_store",
    "decision.before_store",
    "decision.after_store",
    # orchestrator/intake.py, bundle.py, handover.py: files and refs in the person's hands
    "intake.before_rename",
    "intake.after_rename",
    "bundle.before_rename",
    "bundle.after_rename",
    "handover.before_ref",
    "handover.after_ref",
    # servers/workspace.py, patch_writing.py: files and refs of the run; behind the last of a tool comes execute.after
    "open.before_ref",
    "open.before_worktree",
    "open.before_mark",
    "apply.before_mark",
    "apply.before_swap",
    "apply.after_swap",
    "apply.before_index",
    "apply.before_done",
    "commit.before_object",
    "commit.before_ref",
    "commit.after_ref",
    "revert.before_ref",
    "revert.before_reset",
    "export.before_rename",
    "close.before_remove",
    # servers/sandbox/client.py: a job
    "job.before",
    "job.begun",
    "job.after",
    # servers/minds/asking.py: a question to a model
    "ask.before",
    "ask.after",
    # servers/member.py: a member that is about to serve
    "member.before_serving",
    # servers/house.py: between the steps of coming up
    "house.before_broker",
    "house.before_ledger",
    "house.before_crew",
    "house.ready",
]

POINTS: tuple[Point, ...] = get_args(Point)


class _Control:
    """The harness's folder, as one process has it open."""

    def __init__(self, folder: Path, process: str) -> None:
        self.process = process
        self._mine = Lock()
        self._orders = os.open(folder / "orders", os.O_RDONLY | os.O_CLOEXEC)
        self._passed = os.open(folder / "passed", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._told = os.open(folder / "told", os.O_RDWR | os.O_CLOEXEC)
        self._go = os.open(folder / "go", os.O_RDWR | os.O_CLOEXEC)

    def passage(self, point: Point) -> None:
        here = f"{point} {self.process}"
        with self._mine:
            fcntl.lockf(self._passed, fcntl.LOCK_EX)
            try:
                nth = 1 + sum(line.startswith(f"{here} ") for line in _lines(self._passed))
                os.write(self._passed, f"{here} {os.getpid()}\n".encode())
            finally:
                fcntl.lockf(self._passed, fcntl.LOCK_UN)
        ordered = {line.rpartition(" ")[2] for line in _lines(self._orders) if _is(line, here, nth)}
        if "die" in ordered:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hold" in ordered:
            os.write(self._told, f"{here} {nth} {os.getpid()}\n".encode())
            os.read(self._go, 1)


def _lines(file: int) -> list[str]:
    return os.pread(file, os.fstat(file).st_size, 0).decode().splitlines()


def _is(order: str, here: str, nth: int) -> bool:
    point, process, ordered, _ = order.split(" ")
    return f"{point} {process}" == here and ordered in ("*", str(nth))


_control: _Control | None = None


def arm(process: str) -> None:
    """From here on this process is `process` to the harness that started it; without a harness, nothing is done.

    Raises:
        OSError: the harness's folder is not as it should be.
    """
    global _control
    if (folder := os.environ.get(ENV)) and (_control is None or _control.process != process):
        _control = _Control(Path(folder), process)


def crash_point(point: Point) -> None:
    """A place at which the harness may have this process killed or held."""
    if _control is not None:
        _control.passage(point)
