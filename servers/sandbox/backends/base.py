"""What a backend is: it starts one program confined and knows what its end means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from servers.sandbox.order import Order

CHANNEL_FD = 3
"""The result channel's number inside the job."""


@dataclass(frozen=True)
class Pipes:
    """Our numbers of the program's ends."""

    stdin: int
    output: int
    channel: int

    def placed(self) -> dict[int, int]:
        """The child's numbers to ours."""
        return {0: self.stdin, 1: self.output, 2: self.output, CHANNEL_FD: self.channel}


@dataclass(frozen=True)
class Running:
    """A started program."""

    pid: int
    helpers: int
    """Processes in its tree that are the backend's own."""
    finish: Callable[[int], int]
    """Called once the tree is gone, with the wait status: the exit status, or minus a signal's number.

    Raises `SetUpFailed` when it turns out that the program never started.
    """


class Backend(Protocol):
    """One way to confine."""

    @property
    def name(self) -> str:
        """As in `contracts.sandbox.SandboxReport.backend`."""
        ...

    @property
    def level(self) -> str:
        """As in `contracts.sandbox.SandboxLevel`."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What this level leaves open, in words."""
        ...

    @property
    def tolerated(self) -> frozenset[str]:
        """Breaches of the canary that this level is known to leave open."""
        ...

    def start(self, order: Order, pipes: Pipes) -> Running:
        """Start the program; raises `SetUpFailed`."""
        ...
