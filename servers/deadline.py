"""How long a handler may work on one call. Time in which others are waited for does not count: they have deadlines.

A handler that is past its deadline is cancelled, and its call is answered with a failure. One that cannot be cancelled,
as it waits for a thread, goes on with whatever it does; so its process has to end, see `servers.watchdog`.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

import anyio

from contracts.failure import Failure
from contracts.manifest import ToolSpec

DEADLINE_S = 300.0
"""For a tool that declares nothing else."""

GRACE_S = 10.0
"""How long a handler that is cancelled may take to end."""

_under_way: set[Clock] = set()


class Clock:
    """The time that one handler has worked."""

    def __init__(self) -> None:
        self._scope: anyio.CancelScope | None = None
        self._left_s = math.inf
        self._waiting = 0
        self.tool = ""

    @contextmanager
    def limit(self, tool: str, deadline_s: float) -> Generator[anyio.CancelScope]:
        """Cancel the block, a handler of `tool`, when it has worked for `deadline_s`."""
        self.tool = tool
        with anyio.CancelScope(deadline=anyio.current_time() + deadline_s) as self._scope:
            _under_way.add(self)
            try:
                yield self._scope
            finally:
                _under_way.discard(self)

    @contextmanager
    def stopped(self) -> Generator[None]:
        """It stands still during the block, and during every other one like it at the same time."""
        if self._scope is None:
            yield
            return
        if not self._waiting:
            self._left_s = self._scope.deadline - anyio.current_time()
            self._scope.deadline = math.inf
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._scope.deadline = anyio.current_time() + self._left_s

    @property
    def overstays(self) -> bool:
        """Whether the handler goes on although it was cancelled for its deadline long ago."""
        return self._scope is not None and anyio.current_time() > self._scope.deadline + GRACE_S


def overstaying() -> tuple[str, ...]:
    """The tools of this process whose handlers have to be ended with it."""
    return tuple(sorted(clock.tool for clock in _under_way if clock.overstays))


def missed(spec: ToolSpec, deadline_s: float) -> Failure:
    """What a call is answered whose handler was past its deadline."""
    return Failure(
        kind="timeout",
        message=f"{spec.name} was not done within its deadline of {deadline_s:g} s, and was stopped",
        retry=spec.read_only,
        way_out="" if spec.read_only else "It may have had its effect: see whether it had before you call it again.",
    )
