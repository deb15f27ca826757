"""`reduced`: Landlock for files, signals and ptrace, seccomp for the rest. Nothing to install, Linux 6.12 or newer.

Older Landlock still guards the files, but not signals to the user's other processes: `weak`.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

from servers.sandbox import landlock, linux
from servers.sandbox.backends.base import CHANNEL_FD, Pipes, Running
from servers.sandbox.order import Order, SetUpFailed, real
from servers.sandbox.spawn import resource_limits, spawn
from servers.sandbox.syscalls import job_filter, supported
from servers.sandbox.system import CONFIGURATION, DEVICES, FACTS, PROGRAMS

SCOPED_ABI, TRUNCATING_ABI = 6, 3
NOTES = (
    "no sockets, shared memory or POSIX semaphores: tests that need them fail here",
    "changes of file modes, owners and times have no effect",
    "/tmp cannot be written; TMPDIR can",
    "names, sizes and times of files outside can be seen, not their contents",
)


class Landlock:
    """Runs jobs below a Landlock ruleset."""

    name = "landlock"

    def __init__(self, newest: int = 1000) -> None:
        """Ask the kernel; `newest` is the highest ABI to make use of.

        Raises:
            SetUpFailed: no Landlock, or an architecture whose system calls are not known here.
        """
        self._abi = min(landlock.abi(), newest)
        if not self._abi:
            raise SetUpFailed("the kernel has no Landlock, or it is not enabled")
        if not supported():
            raise SetUpFailed(f"no seccomp filter for {linux.machine()}")
        scoped = self._abi >= SCOPED_ABI
        self.tolerated = frozenset[str]() if scoped else frozenset({"signal"})
        self.level = "reduced" if scoped else "weak"
        self.notes = NOTES if scoped else (*NOTES, f"Landlock ABI {self._abi} does not stop signals to other processes")

    def start(self, order: Order, pipes: Pipes) -> Running:
        """See `Backend`."""

        def confine() -> None:
            os.chdir(order.scratch / order.cwd)
            linux.drop_capabilities()
            linux.no_new_privileges()
            self._rules(order).enforce()
            linux.install_filter(job_filter(loopback=False, metadata=False, truncation=self._abi >= TRUNCATING_ABI))

        limits = resource_limits(order.limits) | {resource.RLIMIT_NPROC: tasks_of_user() + order.limits.processes}
        pid = spawn(order.argv, order.environment(CHANNEL_FD), pipes.placed(), limits=limits, confine=confine)
        return Running(pid=pid, helpers=0, finish=os.waitstatus_to_exitcode)

    def _rules(self, order: Order) -> landlock.Ruleset:
        rules = landlock.Ruleset(self._abi)
        rules.allow(PROGRAMS, landlock.RUN)
        rules.allow(map(real, CONFIGURATION), landlock.READ)
        rules.allow(DEVICES, landlock.READ_FILE | landlock.WRITE_FILE)
        rules.allow(FACTS, landlock.READ)
        rules.allow([Path(f"/proc/{os.getpid()}")], landlock.READ | landlock.WRITE_FILE)
        rules.allow(map(real, order.read_only), landlock.RUN)
        rules.allow([order.scratch], landlock.all_rights(self._abi))
        return rules


def tasks_of_user() -> int:
    """Processes and threads of this user, which RLIMIT_NPROC counts together with the job's."""
    me, tasks = os.getuid(), 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat(f"/proc/{name}").st_uid == me:
                    tasks += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue  # it ended meanwhile
    return tasks
