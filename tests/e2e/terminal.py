"""A person at a terminal: a pseudo-terminal that is read and typed into."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from tests.cli.conftest import LIMIT_S, ROOT, Podium


class Terminal:
    """What a command shows, and a way to type."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.shown = ""
        self._seen = 0

    def until(self, words: str) -> str:
        """Wait until `words` are shown; everything since the last time."""
        while words not in self.shown[self._seen :]:
            if not self._read():
                raise AssertionError(f"it ended without showing {words!r}:\n{self.shown}")
        begin, self._seen = self._seen, self.shown.index(words, self._seen) + len(words)
        return self.shown[begin : self._seen]

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._master, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end; the exit status."""
        while self._read():
            pass
        return self.process.wait(LIMIT_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], LIMIT_S)
        assert ready, f"nothing more for {LIMIT_S} s:\n{self.shown}"
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@contextmanager
def at_a_terminal(podium: Podium, *args: str, env: Mapping[str, str] | None = None) -> Generator[Terminal]:
    """Run a command as a person at a terminal of 100 columns does."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", *args],
        cwd=ROOT,
        env={**podium.environment(), "TERM": "xterm-256color", **(env or {})},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        with process:
            try:
                yield Terminal(process, master)
            finally:
                process.kill()
    finally:
        os.close(master)
