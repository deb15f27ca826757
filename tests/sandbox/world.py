"""What the attacks aim at, made for them: a secret, a victim process, listeners, checkouts. Nothing of the machine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from bus.broker import find_server
from tests.sandbox.cells import scratch_root

MARK = "violet-secret-4711"
SECRET = f'<testsuite><testcase name="{MARK}"/></testsuite>'
"""What nobody inside may learn; in a form that Podium's own readers take, so that none fails on the form."""


@dataclass(frozen=True)
class World:
    """Targets outside the sandbox."""

    place: Path
    victim: subprocess.Popen[bytes]
    tcp: socket.socket
    udp: socket.socket
    unix: socket.socket
    datagram: socket.socket
    abstract: socket.socket
    broker: int = 0
    """Port of a real broker, where there is one."""
    _before: dict[str, tuple[object, ...]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_before", _seen(self.place))

    @property
    def secret(self) -> Path:
        return self.place / "secret.txt"

    @property
    def target(self) -> Path:
        return self.place / "target.txt"

    @property
    def venv(self) -> Path:
        """A virtual environment that programs may read."""
        return self.place / "venv"

    def names(self) -> tuple[str, ...]:
        """sys.argv[1:] of an attack: see `attacks.PRELUDE`."""
        ports = (self.tcp.getsockname()[1], self.udp.getsockname()[1])
        abstract = self.abstract.getsockname().decode().removeprefix("\0")
        return (str(self.place), str(self.victim.pid), *map(str, ports), abstract, str(self.broker))

    def harm(self) -> list[str]:
        """What an attack changed or reached, seen from outside."""
        now = _seen(self.place)
        names = {*self._before, *now}
        found = [f"{name} changed" for name in sorted(names) if self._before.get(name) != now.get(name)]
        if self.victim.poll() is not None:
            found.append("another process was killed")
        for name, listener in (("udp", self.udp), ("datagram", self.datagram)):
            if _received(listener):
                found.append(f"{name} datagram arrived")
        return found


def _seen(place: Path) -> dict[str, tuple[object, ...]]:
    """Every name below `place` with its mode, and for a file its time and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in place.rglob("*"):
        at = path.lstat()
        file = (at.st_mtime_ns, path.read_bytes()) if S_ISREG(at.st_mode) else ()
        found[str(path.relative_to(place))] = (at.st_mode, *file)
    return found


def _received(listener: socket.socket) -> bool:
    try:
        return bool(listener.recv(100))
    except BlockingIOError:
        return False


_FILES = {
    "target.txt": "target",
    "repo/conftest.py": "",
    "repo/.git/config": "[core]\n",
    "repo/.git/hooks/pre-commit.sample": "",
    "run/tree/.git": "gitdir: ../../repo/.git\n",
    "run/git/config": "[core]\n",
    "run/git/hooks/pre-commit.sample": "",
    "venv/pyvenv.cfg": "",
    "venv/lib/python3/site-packages/installed.py": "",
}
"""A file, the user's repository, the run's own copy of it, and a virtual environment."""


@contextmanager
def world(broker: int = 0) -> Generator[World]:
    """Targets for one attack."""
    # Not in a world-writable folder's top level, and closed to other users: as a home would be.
    with scratch_root() as place:
        (place / "secret.txt").write_text(SECRET)
        (place / "secret.txt").chmod(0o600)
        for name, text in _FILES.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
            (place / name).chmod(0o644)
        (place / "folder").mkdir()
        os.utime(place / "target.txt", (1_000_000_000, 1_000_000_000))
        victim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            env={"SECRET": MARK},
        )
        sockets = [socket.socket(*kind) for kind in _KINDS]
        tcp, udp, unix, datagram, abstract = sockets
        try:
            tcp.bind(("127.0.0.1", 0))
            udp.bind(("127.0.0.1", 0))
            unix.bind(str(place / "s.sock"))
            datagram.bind(str(place / "d.sock"))
            abstract.bind(f"\0podium-test-{place.name}")
            for listener in (tcp, unix, abstract):
                listener.listen()
            for listener in sockets:
                listener.setblocking(False)
            for path in ("s.sock", "d.sock"):
                (place / path).chmod(0o777)
            yield World(place, victim, tcp, udp, unix, datagram, abstract, broker)
        finally:
            for listener in sockets:
                listener.close()
            victim.kill()
            victim.communicate()


_KINDS = (
    (socket.AF_INET, socket.SOCK_STREAM),
    (socket.AF_INET, socket.SOCK_DGRAM),
    (socket.AF_UNIX, socket.SOCK_STREAM),
    (socket.AF_UNIX, socket.SOCK_DGRAM),
    (socket.AF_UNIX, socket.SOCK_STREAM),
)


@contextmanager
def broker() -> Generator[int]:
    """A real NATS server that asks nobody who they are; its port."""
    command = [find_server(), "-a", "127.0.0.1", "-p", "-1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            for line in server.stderr:
                if port := re.search(r"client connections on 127\.0\.0\.1:(\d+)", line):
                    yield int(port[1])
                    break
        finally:
            server.kill()
