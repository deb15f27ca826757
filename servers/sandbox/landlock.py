"""Landlock by its system calls (landlock(7)); the kernel's rules for files, TCP ports, signals and ptrace."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from servers.sandbox import linux

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
CONNECT_TCP, BIND_TCP = 1 << 1, 1 << 0
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1 << 0, 1 << 1

_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def abi() -> int:
    """The kernel's Landlock version; 0 when there is none."""
    try:
        return linux.syscall("landlock", CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def all_rights(version: int) -> int:
    """Every right over files that ABI `version` knows."""
    return (1 << _BITS_BY_ABI.get(version, 16)) - 1


class Ruleset:
    """What is allowed; everything else that Landlock knows is denied after `enforce`.

    Without `restrict_files` an earlier ruleset's word on files stands as it is; that needs ABI 4. Moving a file from
    folder to folder is denied by every ruleset that does not allow it, so that one does.
    """

    def __init__(self, version: int, *, restrict_files: bool = True, restrict_tcp: bool = True) -> None:
        self.version = version
        self._handled = all_rights(version) if restrict_files else REFER
        net = CONNECT_TCP | BIND_TCP if version >= 4 and restrict_tcp else 0
        scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if version >= 6 else 0
        size = 8 if version < 4 else 16 if version < 6 else 24
        attributes = struct.pack("=QQQ", self._handled, net, scoped)[:size]
        self._fd = linux.syscall("landlock_create_ruleset", CREATE_RULESET, attributes, size, 0)
        if not restrict_files:
            self.allow([Path("/")], REFER)

    def allow(self, paths: Iterable[Path], rights: int) -> None:
        """Grant `rights` on each path and below; a path that does not exist grants nothing."""
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                granted = rights & self._handled
                if not stat.S_ISDIR(os.fstat(fd).st_mode):
                    granted &= ON_FILES
                rule = struct.pack("=Qi", granted, fd)
                linux.syscall(f"landlock rule for {path}", ADD_RULE, self._fd, 1, rule, 0)
            finally:
                os.close(fd)

    def allow_connect(self, port: int) -> None:
        """Grant TCP connections to `port`, on any address; nothing to do before ABI 4."""
        if self.version >= 4:
            rule = struct.pack("=QQ", CONNECT_TCP, port)
            linux.syscall("landlock port rule", ADD_RULE, self._fd, 2, rule, 0)

    def enforce(self) -> None:
        """Restrict this thread and what it starts, for good; needs `no_new_privileges` before."""
        linux.syscall("landlock_restrict_self", RESTRICT_SELF, self._fd, 0)
        os.close(self._fd)
