"""The few system calls Python has no name for, by ctypes. Errors are `OSError` with the call's name."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY = 63
CAPABILITY_VERSION_3 = 0x20080522


def machine() -> str:
    """The architecture's name as the kernel gives it: `x86_64`, `aarch64`, …"""
    return platform.machine()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def syscall(what: str, number: int, *arguments: object) -> int:
    """Make a system call by number.

    Raises:
        OSError: with `what` in its text.
    """
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc().syscall(ctypes.c_long(number), *words))
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")
    return result


def prctl(what: str, option: int, *arguments: int | ctypes.c_void_p) -> None:
    """prctl(2).

    Raises:
        OSError: with `what` in its text.
    """
    words = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    words += [ctypes.c_ulong(0)] * (4 - len(words))
    if _libc().prctl(option, *words) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def die_with_parent(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Signal this process when the parent's thread that forked it ends; at once if `parent` is gone already."""
    prctl("PR_SET_PDEATHSIG", PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        os.kill(os.getpid(), by)


def no_new_privileges() -> None:
    """No program run from here on gains anything from setuid bits or file capabilities."""
    prctl("PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1)


def hide_from_same_user() -> None:
    """No core dump, and no `/proc/<pid>` access (environ, mem, fd) for other processes of this user."""
    prctl("PR_SET_DUMPABLE", PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the subreaper: whatever descends from here stays below this process."""
    prctl("PR_SET_CHILD_SUBREAPER", PR_SET_CHILD_SUBREAPER, 1)


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def drop_capabilities() -> None:
    """Give up every capability, also those a root process would regain by executing a program."""
    for capability in range(LAST_CAPABILITY + 1):
        try:
            prctl("PR_CAPBSET_DROP", PR_CAPBSET_DROP, capability)
        except OSError:
            break  # EINVAL past the last one this kernel knows; EPERM for an ordinary user, who has none
    with contextlib.suppress(OSError):  # older than 4.3: there are no ambient capabilities
        prctl("PR_CAP_AMBIENT", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = _CapHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    if _libc().capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"capset: {os.strerror(errno)}")


class _SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install_filter(program: bytes) -> None:
    """Install a seccomp BPF program for this thread and what it starts; needs `no_new_privileges` before."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = _SockFprog(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    prctl("PR_SET_SECCOMP", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.cast(ctypes.byref(fprog), ctypes.c_void_p))
