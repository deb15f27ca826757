"""`full`: namespaces by bubblewrap, a root-owned program made for this, with our seccomp filter on top."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import stat
import subprocess
from pathlib import Path

from servers.sandbox.backends.base import CHANNEL_FD, Pipes, Running
from servers.sandbox.order import Order, SetUpFailed, is_below, real
from servers.sandbox.spawn import resource_limits, spawn
from servers.sandbox.syscalls import job_filter
from servers.sandbox.system import CONFIGURATION, PROGRAMS

PLACES = tuple(map(Path, ("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap", "/run/current-system/sw/bin/bwrap")))
ARGS_FD, FILTER_FD, STATUS_FD, BLOCK_FD = 4, 5, 6, 7
TMP_BYTES, SHM_BYTES = 256 << 20, 64 << 20
START_S = 20


class Bubblewrap:
    """Runs jobs with `bwrap`."""

    name = "bubblewrap"
    level = "full"
    notes: tuple[str, ...] = ()
    tolerated: frozenset[str] = frozenset()

    def __init__(self) -> None:
        """Find bwrap.

        Raises:
            SetUpFailed: there is none that only root could have written.
        """
        self._program = _trusted_program()
        self._can_disable_userns = _version(self._program) >= (0, 8)

    def start(self, order: Order, pipes: Pipes) -> Running:
        """See `Backend`."""
        args = _memory_file("\0".join(self._arguments(order)).encode())
        filter_ = _memory_file(job_filter(loopback=True, metadata=True))
        status_read, status_write = os.pipe()
        block_read, block_write = os.pipe()
        fds = {**pipes.placed(), ARGS_FD: args, FILTER_FD: filter_, STATUS_FD: status_write, BLOCK_FD: block_read}
        argv = [str(self._program), "--args", str(ARGS_FD), "--", *order.argv]
        try:
            # bwrap stays as PID 1 inside, its environment readable: it gets none.
            pid = spawn(argv, {}, fds, limits=resource_limits(order.limits), confine=lambda: os.chdir("/"))
        finally:
            for fd in (args, filter_, status_write, block_read):
                os.close(fd)
        inner = _child_pid(status_read)
        if inner is not None:
            # Set from outside and late, because inside its user namespace only the sandbox's own tasks count.
            # Gone already, which `finish` reports; or a setuid bwrap, where the watchdog counts alone.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(inner, resource.RLIMIT_NPROC, (order.limits.processes, order.limits.processes))
            os.write(block_write, b"!")
        os.close(block_write)

        def finish(wait_status: int) -> int:
            with os.fdopen(status_read, "rb") as status:
                told = [json.loads(line) for line in status.read().splitlines() if line.strip()]
            code = os.waitstatus_to_exitcode(wait_status)
            if code >= 0 and not any("exit-code" in entry for entry in told):
                raise SetUpFailed(f"bubblewrap could not start {order.argv[0]} (status {code})")
            # bwrap, like a shell, reports death by signal n as 128 + n.
            return 128 - code if 128 < code <= 192 else code

        return Running(pid=pid, helpers=2, finish=finish)

    def _arguments(self, order: Order) -> list[str]:
        args = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        args += ["--unshare-cgroup-try", "--hostname", "sandbox", "--cap-drop", "ALL", "--new-session"]
        args += ["--die-with-parent", "--json-status-fd", str(STATUS_FD), "--block-fd", str(BLOCK_FD)]
        args += ["--seccomp", str(FILTER_FD)]
        if self._can_disable_userns:
            args.append("--disable-userns")
        for name, value in order.environment(CHANNEL_FD).items():
            args += ["--setenv", name, value]
        args += ["--setenv", "PODIUM_PRIVATE", "/tmp"]
        args += ["--perms", "1777", "--size", str(min(TMP_BYTES, order.limits.disk_bytes)), "--tmpfs", "/tmp"]
        args += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm"]
        for path in PROGRAMS:
            if path.is_symlink():
                args += ["--symlink", os.readlink(path), str(path)]
            elif path.is_dir():
                args += ["--ro-bind", str(path), str(path)]
        for path in CONFIGURATION:
            args += ["--ro-bind-try", str(real(path)), str(path)]
        for kind, source, target in _binds(order):
            args += [kind, str(source), str(target)]
        args += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"]
        args += ["--chdir", str(order.scratch / order.cwd)]
        return args


def _binds(order: Order) -> list[tuple[str, Path, Path]]:
    """Mounts of the job's own paths, outer ones first, so that an inner one is never covered."""
    binds = {order.scratch: ("--bind", order.scratch)}
    for path in order.read_only:
        source = real(path)
        if any(source == program or is_below(source, program) for program in PROGRAMS):
            continue
        # Symlinks elsewhere may name it either way.
        binds.setdefault(path, ("--ro-bind", source))
        binds.setdefault(source, ("--ro-bind", source))
    ordered = sorted(binds.items(), key=lambda item: len(item[0].parts))
    return [(kind, source, target) for target, (kind, source) in ordered]


def _trusted_program() -> Path:
    for place in PLACES:
        try:
            found = place.stat()
        except OSError:
            continue
        if found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return place
    raise SetUpFailed("bubblewrap is not installed")


def _version(program: Path) -> tuple[int, ...]:
    try:
        told = subprocess.run([program, "--version"], capture_output=True, timeout=START_S, env={}, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetUpFailed(f"bubblewrap does not start: {error}") from error
    return tuple(map(int, re.findall(rb"\d+", told)[:2]))


def _memory_file(content: bytes) -> int:
    fd = os.memfd_create("order", os.MFD_CLOEXEC)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _child_pid(status: int) -> int | None:
    """The program's pid, once it stands ready behind the block; None when set-up failed before."""
    line = b""
    while b"\n" not in line:
        if not select.select([status], [], [], START_S)[0]:
            return None
        more = os.read(status, 4096)
        if not more:
            return None
        line += more
    return int(json.loads(line.splitlines()[0])["child-pid"])
