"""Start a program with exactly the file descriptors, environment and limits it is to have."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence

from servers.sandbox import linux
from servers.sandbox.order import Ceilings, SetUpFailed

FIRST_PRIVATE_FD = 200
"""Sources are moved up here first, so that placing one never overwrites another."""


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    fds: Mapping[int, int],
    *,
    limits: Mapping[int, int],
    confine: Callable[[], None],
) -> int:
    """Fork, limit, confine, execute; the child's pid. `fds` maps the child's numbers to ours.

    The child leads a session of its own, and dies with this thread.

    Raises:
        SetUpFailed: the program was not started; says at which step.
    """
    parent = os.getpid()
    report_read, low = os.pipe()
    report_write = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD)
    os.close(low)
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            linux.die_with_parent(parent)
            _place(fds)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            for which, most in limits.items():
                _limit(which, most)
            confine()
            os.execvpe(argv[0], list(argv), dict(env))
        except BaseException as error:
            os.write(report_write, f"{argv[0]}: {error}".encode()[:4096])
        finally:
            os._exit(126)
    os.close(report_write)
    problem = b"".join(iter(lambda: os.read(report_read, 4096), b""))
    os.close(report_read)
    if problem:
        os.waitpid(pid, 0)
        raise SetUpFailed(problem.decode(errors="replace"))
    return pid


def _place(fds: Mapping[int, int]) -> None:
    moved = {target: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD) for target, source in fds.items()}
    for target, source in moved.items():
        os.dup2(source, target)  # inheritable; all else of ours is close-on-exec


def _limit(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    # SIGXCPU first, so that the cause can be told; SIGKILL for a program that ignores it.
    grace = 2 if which == resource.RLIMIT_CPU and most + 2 <= hard % (1 << 63) else 0
    resource.setrlimit(which, (most, most + grace))


def resource_limits(ceilings: Ceilings) -> dict[int, int]:
    """Per-process limits that hold without any namespace. RLIMIT_AS is left alone: node reserves terabytes."""
    return {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: max(1, round(ceilings.cpu_s)),
        resource.RLIMIT_DATA: ceilings.memory_bytes,
        resource.RLIMIT_FSIZE: ceilings.disk_bytes,
        resource.RLIMIT_NOFILE: 4096,
        resource.RLIMIT_MEMLOCK: 8 << 20,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 4096,
    }
