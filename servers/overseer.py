"""Above a member that is, or starts, a program of other people: whatever ends the member, nothing of theirs is left.

The member is confined and can neither see nor end what they leave behind; this process is not, holds nothing, and
is their subreaper. It has no threads.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from bus.serving import DRAIN_S
from servers.housekeeping import fork
from servers.sandbox import linux, tree

_ENDS = (signal.SIGTERM, signal.SIGCHLD)
_FAREWELL_S = DRAIN_S + 1.0
"""How long the member may take to leave when it is told to."""


def overseen(work: Callable[[], int | None]) -> int:
    """Run `work` in a fork of this process, which is a fork itself; the exit status.

    When this process is told to end, so is the member, which may finish what it is at. All descendants are killed when
    it has ended or takes too long, and at once when the parent is gone.
    """
    parent = os.getppid()
    linux.adopt_orphans()
    linux.die_with_parent(parent, signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)

    def member() -> int | None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work()

    pid = fork(member)
    ended: dict[int, int] = {}
    while pid not in ended and signal.sigwait(_ENDS) != signal.SIGTERM:
        ended |= tree.reap()[0]
    if pid not in ended and os.getppid() == parent:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _FAREWELL_S
        while pid not in ended and os.getppid() == parent and (left := deadline - time.monotonic()) > 0:
            signal.sigtimedwait(_ENDS, left)
            ended |= tree.reap()[0]
    ended |= tree.end_everything()
    status = os.waitstatus_to_exitcode(ended[pid])
    return status if status >= 0 else 128 - status
