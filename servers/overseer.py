"""Above a member that starts programs of other people: whatever ends the member, nothing of theirs is left.

The member is confined and can neither see nor end what those programs start; this process is not, holds nothing, and
is their subreaper. It has no threads.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from servers.housekeeping import fork
from servers.sandbox import linux, tree

_ENDS = (signal.SIGTERM, signal.SIGCHLD)


def overseen(work: Callable[[], int | None]) -> int:
    """Run `work` in a fork of this process, which is a fork itself; the exit status.

    All its descendants are killed when it ends, when this process is told to end, and when the parent is gone.
    """
    linux.adopt_orphans()
    linux.die_with_parent(os.getppid(), signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)

    def member() -> int | None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work()

    pid = fork(member)
    ended: dict[int, int] = {}
    while pid not in ended and signal.sigwait(_ENDS) != signal.SIGTERM:
        ended |= tree.reap()[0]
    ended |= tree.end_everything()
    status = os.waitstatus_to_exitcode(ended[pid])
    return status if status >= 0 else 128 - status
