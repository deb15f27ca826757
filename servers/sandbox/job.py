"""What a sandbox is asked to run, and what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.sandbox import Limits, SandboxReport

OnLine = Callable[[bytes], Awaitable[None]]
"""Receives each complete line (without its end) of the result channel as it arrives."""

CHANNEL_ENV = "PODIUM_CHANNEL"
"""Environment variable with the number of the file descriptor results are written to."""

PRIVATE_ENV = "PODIUM_PRIVATE"
"""Environment variable with folders, separated by `:`, that only this job sees and that end with it."""


@dataclass(frozen=True)
class Job:
    """One program to run on a scratch copy.

    `scratch` is a directory the caller made; it is the program's working directory, the only place
    (beside a private /tmp) it can write, and seen at the same path inside. `read_only` are paths it may
    read and execute from beside the system's own (/usr, /lib, …): an interpreter's prefixes, say.
    The environment is exactly `env` plus what the sandbox itself needs (HOME and TMPDIR inside the
    scratch, `CHANNEL_ENV`) and, where folders like /tmp are the job's own, `PRIVATE_ENV`, which names them.
    There is no network of any kind.
    """

    argv: tuple[str, ...]
    scratch: Path
    cwd: str = "."
    read_only: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    stdin: bytes = b""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Finished:
    """How it went. What `stdout` and `channel` hold are claims of the code under test."""

    returncode: int
    """Exit status, or minus the signal's number."""
    output: bytes
    """stdout and stderr interleaved: head and tail within `limits.output_bytes`."""
    printed: int
    """Bytes of both in all, what was dropped in between included."""
    channel: bytes
    """What was written to the result channel (already given to `on_line`, too)."""
    report: SandboxReport


class SandboxUnavailable(Exception):
    """The sandbox could not be set up: nothing was run. The message says what would help."""


class JobRefused(SandboxUnavailable):
    """The keeper's policy does not allow this job: nothing was run. The message says what was expected."""
