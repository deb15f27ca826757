"""What client and keeper say to each other: the policy, an order (a job in plain values), and frames.

One stream socket per job, and every message a frame: one byte of kind, four of length, the payload. The
socket is the job's lifeline, too: when the client's end closes, for whatever reason, the job is killed.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ORDER, STDIN, CHANNEL, OUTPUT, RESULT, ERROR = b"J", b"I", b"C", b"O", b"R", b"E"
HEADER = struct.Struct("!cI")
MAX_FRAME = 256 << 20

OURS = Path(__file__).resolve().parents[1]
"""Podium's own code for use inside, which is no secret."""

BACKENDS = ("bubblewrap", "landlock", "seccomp")


class Refused(Exception):
    """An order the policy does not allow; nothing was run."""


class SetUpFailed(Exception):
    """The confinement could not be set up; nothing was run."""


@dataclass(frozen=True)
class Policy:
    """What a keeper will ever run; fixed when it starts.

    `scratch_root`: every job's scratch lies below it. `read_only`: what a job may read beside the system's
    own, and all below. `read_anywhere`: also Python installations, programs, git worktrees, wherever they are.
    `private`: paths no grant may contain or lie in. `backends`: which may be used, strongest first. `python`:
    the interpreter the canary runs. `unsandboxed`: when no backend works, run without confinement. `home`:
    the user's, never granted whole.
    """

    scratch_root: Path
    read_only: tuple[Path, ...] = ()
    read_anywhere: bool = False
    private: tuple[Path, ...] = ()
    backends: tuple[str, ...] = BACKENDS
    python: Path = Path(sys.executable)
    unsandboxed: bool = False
    home: Path = field(default_factory=Path.home)

    def to_json(self) -> bytes:
        """For the way to the keeper."""
        plain = asdict(self)
        for name in ("read_only", "private"):
            plain[name] = [str(path) for path in plain[name]]
        for name in ("scratch_root", "python", "home"):
            plain[name] = str(plain[name])
        return json.dumps(plain).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Policy:
        """The keeper's side of `to_json`."""
        plain: dict[str, Any] = json.loads(data)
        return cls(
            scratch_root=Path(plain["scratch_root"]),
            read_only=tuple(Path(p) for p in plain["read_only"]),
            read_anywhere=plain["read_anywhere"],
            private=tuple(Path(p) for p in plain["private"]),
            backends=tuple(plain["backends"]),
            python=Path(plain["python"]),
            unsandboxed=plain["unsandboxed"],
            home=Path(plain["home"]),
        )


@dataclass(frozen=True)
class Ceilings:
    """`contracts.sandbox.Limits` without pydantic."""

    wall_s: float
    cpu_s: float
    memory_bytes: int
    processes: int
    output_bytes: int
    output_kill_bytes: int
    channel_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class Order:
    """A job in plain values. Paths are absolute; `cwd` is relative to `scratch`."""

    argv: tuple[str, ...]
    scratch: Path
    cwd: str
    read_only: tuple[Path, ...]
    env: Mapping[str, str]
    limits: Ceilings

    def to_json(self) -> bytes:
        """For the way to the keeper."""
        plain: dict[str, Any] = {
            "argv": self.argv,
            "scratch": str(self.scratch),
            "cwd": self.cwd,
            "read_only": [str(p) for p in self.read_only],
            "env": dict(self.env),
            "limits": asdict(self.limits),
        }
        return json.dumps(plain).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Order:
        """The keeper's side of `to_json`."""
        plain: dict[str, Any] = json.loads(data)
        return cls(
            argv=tuple(plain["argv"]),
            scratch=Path(plain["scratch"]),
            cwd=plain["cwd"],
            read_only=tuple(Path(p) for p in plain["read_only"]),
            env=plain["env"],
            limits=Ceilings(**plain["limits"]),
        )

    @property
    def home(self) -> Path:
        """HOME inside: below the scratch, apart from the code under test."""
        return self.scratch / ".sandbox" / "home"

    @property
    def tmp(self) -> Path:
        """TMPDIR inside."""
        return self.scratch / ".sandbox" / "tmp"

    def environment(self, channel_fd: int) -> dict[str, str]:
        """The whole environment of the program."""
        own = {"HOME": str(self.home), "TMPDIR": str(self.tmp), "PODIUM_CHANNEL": str(channel_fd)}
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **self.env, **own}


def check(order: Order, policy: Policy) -> None:
    """Compare an order with the policy, symlinks resolved.

    Raises:
        Refused: with what was expected.
    """
    if not order.argv:
        raise Refused("A job needs a program: argv is empty.")
    if any("\0" in text for text in (*order.argv, *order.env, *order.env.values(), order.cwd, str(order.scratch))):
        raise Refused("argv, env and paths must not contain NUL.")
    root = real(policy.scratch_root)
    if order.scratch != real(order.scratch) or not is_below(order.scratch, root) or not order.scratch.is_dir():
        raise Refused(f"scratch must be a real directory below {root}, found {order.scratch}.")
    inside = real(order.scratch / order.cwd)
    if inside != order.scratch and not is_below(inside, order.scratch):
        raise Refused(f"cwd must stay inside the scratch, found {order.cwd}.")
    for path in order.read_only:
        check_grant(path, policy)
        named = any(real(path) == real(p) or is_below(real(path), real(p)) for p in (*policy.read_only, OURS))
        if not named and not (policy.read_anywhere and is_tool(real(path))):
            allowed = ", ".join(map(str, policy.read_only)) or "nothing"
            tools = ", or a Python installation, program or worktree" if policy.read_anywhere else ""
            raise Refused(f"{path} is not among what jobs may read: {allowed}{tools}.")


def is_tool(path: Path) -> bool:
    """Whether `path` is a program, a virtual environment (PEP 405), a Python's prefix, or a git worktree."""
    if path.is_file():
        return os.access(path, os.X_OK)
    marked = (path / "pyvenv.cfg").is_file() or (path / ".git").is_file()
    return marked or any(path.glob("lib*/python3*/os.py"))


def check_grant(path: Path, policy: Policy) -> None:
    """Refuse a readable path so wide that it holds somebody's secrets.

    Raises:
        Refused: for `/`, a home directory or what contains one, and what meets a private path.
    """
    found = real(path)
    homes = [real(policy.home), Path("/root"), Path("/home")]
    wide = [home for home in homes if home == found or is_below(home, found)]
    if wide or found.parent == Path("/home"):
        raise Refused(f"{path} is, or contains, a home directory; grant the folder that is needed.")
    for private in map(real, policy.private):
        if found == private or is_below(private, found) or is_below(found, private):
            raise Refused(f"{path} meets the private path {private}.")


def real(path: Path) -> Path:
    """`path`, absolute, with symlinks resolved as far as it exists."""
    return Path(os.path.realpath(path))


def is_below(path: Path, root: Path) -> bool:
    """Whether `path` lies strictly below `root` (both resolved)."""
    return path != root and path.is_relative_to(root)


def frame(kind: bytes, payload: bytes) -> bytes:
    """A frame, ready to send."""
    return HEADER.pack(kind, len(payload)) + payload


class Frames:
    """Takes bytes as they arrive, gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The frames that are complete now.

        Raises:
            ValueError: for a frame larger than `MAX_FRAME`.
        """
        self._buffer += data
        found: list[tuple[bytes, bytes]] = []
        while len(self._buffer) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise ValueError(f"frame of {length} bytes, at most {MAX_FRAME} are accepted")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            found.append((kind, bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return found
