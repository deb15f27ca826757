"""What is said about confinement: the limits asked for and the level that was reached."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model

SandboxLevel = Literal["full", "reduced", "weak", "none"]
"""full: bubblewrap. reduced: Landlock ABI >= 6 with seccomp. weak: an older Landlock, or only seccomp without
sockets, resource limits, a scratch copy and, as root, a throw-away uid. none: `--unsandboxed`."""

Ended = Literal["exited", "signalled", "wall_time", "cpu_time", "memory", "processes", "output", "disk", "cancelled"]
"""exited, signalled: by itself, before any limit. output: too much printed, or on the result channel.
cancelled: the caller went away. The others name the limit that was reached."""


class Limits(Model):
    """Ceilings for one confined process tree."""

    wall_s: float = Field(default=600, gt=0, description="Wall-clock seconds.")
    cpu_s: float = Field(default=600, gt=0, description="CPU seconds of any one process.")
    memory_bytes: int = Field(default=2 << 30, gt=0, description="Proportional set size of the whole tree.")
    processes: int = Field(default=256, gt=0, description="Processes and threads alive at once.")
    output_bytes: int = Field(default=8 << 20, gt=0, description="Kept of stdout and stderr; more is dropped.")
    output_kill_bytes: int = Field(default=256 << 20, gt=0, description="Printed in all before the tree is killed.")
    channel_bytes: int = Field(default=64 << 20, gt=0, description="Accepted on the result channel.")
    disk_bytes: int = Field(default=1 << 30, gt=0, description="Written to the scratch copy.")


class SandboxReport(Model):
    """How a result came about; recorded with every result that ran somebody's code."""

    level: SandboxLevel
    backend: Literal["bubblewrap", "landlock", "seccomp", "none"]
    notes: tuple[str, ...] = Field(default=(), description="What this level leaves open, in words.")
    ended: Ended = "exited"
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
