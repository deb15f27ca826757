"""`none`: limits only, and no survivors. Exists for a policy that says `unsandboxed`, and nothing else."""

from __future__ import annotations

import os

from servers.sandbox.backends.base import CHANNEL_FD, Pipes, Running
from servers.sandbox.order import Order
from servers.sandbox.spawn import resource_limits, spawn


class Unconfined:
    """Runs jobs with resource limits as the only restraint."""

    name = "none"
    level = "none"
    notes = ("not confined: the program can do whatever this user can",)
    tolerated: frozenset[str] = frozenset()

    def start(self, order: Order, pipes: Pipes) -> Running:
        """See `Backend`."""
        pid = spawn(
            order.argv,
            order.environment(CHANNEL_FD),
            pipes.placed(),
            limits=resource_limits(order.limits),
            confine=lambda: os.chdir(order.scratch / order.cwd),
        )
        return Running(pid=pid, helpers=0, finish=os.waitstatus_to_exitcode)
