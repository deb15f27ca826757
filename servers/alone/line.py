"""What the specialist and the process that reads the checkout say to each other: a question, an answer, in turn.

A socket of kind SOCK_SEQPACKET, so that a message is a packet and its end is a packet of no bytes.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from contracts.base import Model, RunId
from contracts.failure import Failure
from servers.specialist import ToolError

MOST_BYTES = 1 << 16


class Ask(Model):
    """Take the checkout as it is now; calls still work on the snapshots `in_use`."""

    in_use: tuple[RunId, ...] = ()


class Snapshot(Model):
    """A state of the checkout, as specialists see it: the tree of a run that changes nothing."""

    run: RunId
    commit: str
    """What the checkout is at, whatever is changed beside."""


class Answer(Model):
    """The snapshot, or why there is none."""

    snapshot: Snapshot | None = None
    failure: Failure | None = None


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a line."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Snapshots:
    """The specialist's end."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line = line
        self._turn = anyio.Lock()
        self._in_use = Counter[str]()

    @asynccontextmanager
    async def now(self) -> AsyncGenerator[Snapshot]:
        """The checkout as it is now; nothing changes it while the block runs, whatever happens there.

        Raises:
            ToolError: unavailable, when it cannot be read.
        """
        async with self._turn:
            snapshot = await self._ask()
            self._in_use[snapshot.run] += 1
        try:
            yield snapshot
        finally:
            self._in_use[snapshot.run] -= 1

    async def _ask(self) -> Snapshot:
        in_use = tuple(run for run, calls in self._in_use.items() if calls)
        self._in_use = Counter({run: self._in_use[run] for run in in_use})
        data = await self._exchange(Ask(in_use=in_use).canonical())
        if not data:
            raise ToolError("unavailable", "whoever reads the checkout has ended")
        answer = Answer.model_validate_json(data)
        if answer.snapshot is None:
            failure = answer.failure or Failure(kind="internal", message="neither a snapshot nor why not")
            raise ToolError(failure.kind, failure.message, retry=failure.retry, way_out=failure.way_out)
        return answer.snapshot

    async def _exchange(self, asked: bytes) -> bytes:
        with anyio.CancelScope(shield=True):  # else whoever asks next would take this answer for its own
            self._line.send(asked)
            await anyio.wait_readable(self._line)
        return self._line.recv(MOST_BYTES)
