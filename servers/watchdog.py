"""Ends a process that cannot do its work any more, with its stacks in the log; the house starts it again.

Its calls are delivered to the next one. A call that does that to every process is given up, see `bus.lives`.
"""

from __future__ import annotations

import faulthandler
import logging
import os

import anyio

from servers.deadline import overstaying

log = logging.getLogger(__name__)

STALL_S = 60.0
"""How long the event loop may stand still. Meanwhile nothing says that the process is at work."""

_LOOKS = 20


async def watch(stall_s: float = STALL_S) -> None:
    """Watch over this process's event loop and over handlers that outlive their cancellation, until cancelled.

    A thread of the interpreter's that needs no lock of it ends a process whose loop is blocked, be it in C.
    """
    try:
        while True:
            faulthandler.dump_traceback_later(stall_s, exit=True)
            await anyio.sleep(stall_s / _LOOKS)
            if late := overstaying():
                log.error("%s cannot be stopped, so this process ends", ", ".join(late))
                faulthandler.dump_traceback()
                os._exit(1)
    finally:
        faulthandler.cancel_dump_traceback_later()
