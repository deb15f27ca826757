"""Sandboxes to try things in: one backend each, the machine's as it is."""

from __future__ import annotations

import fcntl
import os
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
from servers.throwaway import remove_tree

BACKENDS: tuple[str, ...] = ("bubblewrap", "landlock", "seccomp")
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
        read_anywhere=True,  # as the test runner's: a project's own virtual environment, wherever it is
        backends=(backend,) if confined else (),
        python=python_for(backend),
        unsandboxed=not confined,
    )


@cache
def unavailable(backend: str) -> str:
    """Why a backend does not work here, by its canary; "" when it does."""

    async def reason() -> str:
        with scratch_root() as root:
            try:
                async with KeptSandbox(start_keeper(policy(root, backend))):
                    return ""
            except SandboxUnavailable as problem:
                return str(problem)

    return anyio.run(reason)


def available() -> tuple[str, ...]:
    """The backends that work here, strongest first."""
    return tuple(name for name in BACKENDS if not unavailable(name))


@contextmanager
def scratch_root() -> Generator[Path]:
    """A folder below which jobs have their scratch; other uids can pass through it."""
    place = Path(tempfile.mkdtemp(prefix="sandbox-test-"))
    place.chmod(0o755)
    try:
        yield place.resolve()
    finally:
        remove_tree(place)


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
    with scratch_root() as root, heirloom(root):
        rules = policy(root, backend)
        rules = replace(rules, read_only=(*rules.read_only, *more_read_only))
        async with KeptSandbox(start_keeper(rules)) as sandbox:
            yield Cell(backend, sandbox, root)


@contextmanager
def heirloom(root: Path) -> Generator[None]:
    """An open file that every process started meanwhile inherits, unless its starter sees to it."""
    with (root / "heirloom").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        yield


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
