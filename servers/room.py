"""Whether there is room for the ledger: asked before a house starts, and again and again while it runs.

On a full disk the broker acknowledges nothing, says nothing, and goes on to do neither once there is room again. So a
house ends while there is still enough to end in order: what was acknowledged is kept, and what is under way can be
resumed.
"""

from __future__ import annotations

import os
from pathlib import Path

from contracts.failure import Failure

LEAST_FREE_BYTES = 32 << 20
"""Several of the largest messages, and what it takes to put a broker down."""

_MIB = 1 << 20


class NoRoom(Exception):
    """The ledger cannot be written; `failure` says why and what to do."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def see_to_room(store: Path) -> None:
    """Return where the ledger in `store`, which exists, can grow.

    Raises:
        NoRoom: its disk is full, or has become read-only.
    """
    found = os.statvfs(store)
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        why, way_out = "is on a read-only file system", "Make it writable"
    elif free < LEAST_FREE_BYTES:
        why = f"has no room: {free // _MIB} MiB of its disk are free, and {LEAST_FREE_BYTES // _MIB} are needed"
        way_out = "Make room (with that much, `podium gc` removes what is kept of old runs)"
    else:
        return
    message = f"The ledger in {store} {why}. Nothing that was acknowledged is lost."
    raise NoRoom(Failure(kind="limit", message=message, retry=True, way_out=f"{way_out}, then `podium resume last`."))
