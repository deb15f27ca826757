"""The result channel, seen from inside: one JSON document a line, each opened by the host's token."""

from __future__ import annotations

import json
import os

HIGH = 900
"""Out of the way of programs that close or reuse small descriptor numbers."""


class Channel:
    """Writes results; a channel somebody closed is the host's to notice, never an exception in a test."""

    def __init__(self, fd: int, token: str) -> None:
        self._fd = fd
        self._head = token.encode() + b" "
        self._owner = os.getpid()

    @classmethod
    def from_environment(cls, token: str) -> Channel:
        """Take the descriptor out of the environment, so that programs the tests start do not know it."""
        given = int(os.environ.pop("PODIUM_CHANNEL"))
        try:
            fd = _moved(given)
        except OSError:
            os.set_inheritable(given, False)
            return cls(given, token)
        os.close(given)
        return cls(fd, token)

    def send(self, kind: str, **fields: object) -> None:
        """Write one line; only the process that opened the channel speaks on it."""
        if os.getpid() != self._owner:
            return
        line = self._head + json.dumps({"kind": kind, **fields}).encode() + b"\n"
        view = memoryview(line)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError:
                return

    @property
    def fd(self) -> int:
        """For those who fork: what runs in a child must not reach it."""
        return self._fd


def _moved(fd: int) -> int:
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH)
