"""What the attacks aim at, made for them: a secret, a victim process, listeners. Nothing of this machine."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import anyio
import anyio.to_thread

from contracts.sandbox import Limits
from servers.sandbox.client import KeptSandbox, start_keeper
from servers.sandbox.job import Finished, Job, OnLine, SandboxUnavailable
from servers.sandbox.order import Policy
from servers.sandbox.system import closed_to_others, interpreter

MARK = "violet-secret-4711"
SYSTEM_PYTHON = Path("/usr/bin/python3")


def python_for(backend: str) -> Path:
    """An interpreter the backend's programs can read: a throw-away uid cannot enter root's home."""
    closed = backend == "seccomp" and os.geteuid() == 0 and closed_to_others(Path(sys.executable))
    if closed and SYSTEM_PYTHON.exists():
        return SYSTEM_PYTHON
    return Path(sys.executable)


def policy(scratch_root: Path, backend: str) -> Policy:
    """A policy with one backend; "none" means no confinement at all."""
    confined = backend != "none"
    return Policy(
        scratch_root=scratch_root,
        read_only=interpreter(),
        backends=(backend,) if confined else (),
        python=python_for(backend),
        unsandboxed=not confined,
    )


@cache
def available() -> tuple[str, ...]:
    """The backends that work here, by their canaries."""

    async def works(backend: str) -> bool:
        with scratch_root() as root:
            try:
                async with KeptSandbox(start_keeper(policy(root, backend))):
                    return True
            except SandboxUnavailable:
                return False

    return tuple(name for name in ("bubblewrap", "landlock", "seccomp") if anyio.run(works, name))


@contextmanager
def scratch_root() -> Generator[Path]:
    """A folder below which jobs have their scratch; other uids can pass through it."""
    place = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
    place.chmod(0o755)
    try:
        yield place.resolve()
    finally:
        shutil.rmtree(place)


@dataclass(frozen=True)
class Cell:
    """A sandbox of one backend, and where its jobs live."""

    backend: str
    sandbox: KeptSandbox
    root: Path

    async def python(
        self,
        code: str,
        *args: object,
        on_line: OnLine | None = None,
        limits: Limits | None = None,
        read_only: tuple[Path, ...] = (),
        stdin: bytes = b"",
        name: str = "job",
    ) -> Finished:
        """Run Python `code` with `args` in a scratch of its own."""
        scratch = self.root / name
        scratch.mkdir(exist_ok=True)
        job = Job(
            argv=(str(python_for(self.backend)), "-I", "-c", code, *map(str, args)),
            scratch=scratch,
            read_only=(*interpreter(), *read_only),
            stdin=stdin,
            limits=limits or Limits(wall_s=60),
        )
        return await self.sandbox.run(job, on_line)


@asynccontextmanager
async def cell(backend: str, *more_read_only: Path) -> AsyncGenerator[Cell]:
    """A started sandbox with only `backend`."""
    with scratch_root() as root:
        rules = policy(root, backend)
        rules = replace(rules, read_only=(*rules.read_only, *more_read_only))
        async with KeptSandbox(start_keeper(rules)) as sandbox:
            yield Cell(backend, sandbox, root)


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

    @property
    def secret(self) -> Path:
        return self.place / "secret.txt"

    @property
    def target(self) -> Path:
        return self.place / "target.txt"

    def names(self) -> tuple[str, ...]:
        """sys.argv[1:] of an attack: see `attacks.PRELUDE`."""
        ports = (self.tcp.getsockname()[1], self.udp.getsockname()[1])
        abstract = self.abstract.getsockname().decode().removeprefix("\0")
        return (str(self.place), str(self.victim.pid), *map(str, ports), abstract)

    def harm(self) -> list[str]:
        """What an attack changed or reached, seen from outside."""
        found: list[str] = []
        if {p.name for p in self.place.iterdir()} != {"secret.txt", "target.txt", "folder", "s.sock", "d.sock"}:
            found.append("names outside changed")
        elif self.target.read_text() != "target" or self.target.stat().st_mode & 0o777 != 0o644:
            found.append("a file outside changed")
        elif self.target.stat().st_mtime != 1_000_000_000:
            found.append("a time outside changed")
        if self.victim.poll() is not None:
            found.append("another process was killed")
        for name, listener in (("udp", self.udp), ("datagram", self.datagram)):
            if _received(listener):
                found.append(f"{name} datagram arrived")
        return found


def _received(listener: socket.socket) -> bool:
    try:
        return bool(listener.recv(100))
    except BlockingIOError:
        return False


@contextmanager
def world() -> Generator[World]:
    """Targets for one attack."""
    # Not in a world-writable folder's top level, and closed to other users: as a home would be.
    with scratch_root() as place:
        (place / "secret.txt").write_text(MARK)
        (place / "secret.txt").chmod(0o600)
        (place / "target.txt").write_text("target")
        (place / "target.txt").chmod(0o644)
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
            yield World(place, victim, tcp, udp, unix, datagram, abstract)
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

HOLD = """
import fcntl, os, sys
lock = os.open("lock", os.O_CREAT | os.O_RDWR, 0o666)
os.set_inheritable(lock, True)
fcntl.flock(lock, fcntl.LOCK_EX)
def tell(word): os.write(int(os.environ["PODIUM_CHANNEL"]), word.encode() + b"\\n")
"""
"""Opens and locks `lock` in the scratch: held as long as any process that inherited it lives."""


async def all_gone(scratch: Path) -> None:
    """Wait until no process of the job that ran `HOLD` in `scratch` exists."""

    def wait() -> None:
        with (scratch / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    with anyio.fail_after(30):
        await anyio.to_thread.run_sync(wait, abandon_on_cancel=True)


def is_gone(scratch: Path) -> bool:
    """Whether no process of the job that ran `HOLD` in `scratch` exists, now."""
    with (scratch / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
