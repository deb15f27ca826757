"""The specialist's side of the sandbox: start a keeper early, run jobs through it."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread

from bus.crash import crash_point
from contracts.sandbox import SandboxLevel, SandboxReport
from servers.sandbox.job import Finished, Job, JobRefused, OnLine, SandboxUnavailable
from servers.sandbox.order import CHANNEL, ERROR, ORDER, OUTPUT, RESULT, STDIN, Ceilings, Frames, Order, Policy, frame

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from servers.sandbox.keeper import main;"
    " main(int(sys.argv[2]), int(sys.argv[3]))"
)
HELLO_BYTES = 1 << 16
FAREWELL_S = 20


@dataclass(frozen=True)
class Keeper:
    """A started keeper process, not yet asked how it is."""

    process: subprocess.Popen[bytes]
    door: socket.socket


def start_keeper(policy: Policy) -> Keeper:
    """Start a keeper and return at once; it tries its backends meanwhile.

    Call it from the specialist's main thread, before that process confines itself: the keeper ends when
    this thread or process does. It inherits no environment, no descriptor but its own socket and stderr.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    root = Path(__file__).parents[2]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, str(root), str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env={},
            cwd="/",
            start_new_session=True,
        )
    ours.send(policy.to_json())
    ours.setblocking(False)
    return Keeper(process, ours)


def _ignore(why: str) -> None:
    """The caller is told all the same."""


class KeptSandbox:
    """A `servers.specialist.Sandbox` served by a keeper; an async context manager that ends it, and its jobs."""

    def __init__(self, keeper: Keeper, when_lost: Callable[[str], None] = _ignore) -> None:
        """`when_lost` hears, before anybody else, why a job ended by no doing of its own: its guards were killed."""
        self._keeper = keeper
        self._when_lost = when_lost
        self._report: SandboxReport | None = None

    async def __aenter__(self) -> Self:
        """Wait for the canary's outcome.

        Raises:
            SandboxUnavailable: no backend works; says why, and the way out.
        """
        try:
            await anyio.wait_readable(self._keeper.door)
            hello = self._keeper.door.recv(HELLO_BYTES)
            if not hello:
                raise SandboxUnavailable("The sandbox's keeper ended before it was ready.")
            told: dict[str, Any] = json.loads(hello)
            if "error" in told:
                raise SandboxUnavailable(told["error"])
            self._report = SandboxReport.model_validate_json(hello)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the keeper and every job it still runs."""
        self._keeper.door.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._keeper.process.wait)

    @property
    def report(self) -> SandboxReport:
        """What every result's report starts from: level, backend, notes."""
        if self._report is None:
            raise RuntimeError("Enter the sandbox first: `async with KeptSandbox(keeper) as sandbox`.")
        return self._report

    @property
    def level(self) -> SandboxLevel:
        """The level the canary found."""
        return self.report.level

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        """Run to the end; cancellation, or an exception of `on_line`, kills the whole process tree first.

        Raises:
            JobRefused: the keeper's policy does not allow it.
            SandboxUnavailable: it could not be set up, or who guards it was killed.
        """
        crash_point("job.before")
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            with theirs:
                await self._hand_over(theirs)
            try:
                finished = await self._converse(ours, job, on_line)
            except BaseException:
                await _wait_for_the_end(ours)
                raise
        crash_point("job.after")
        return finished

    async def _hand_over(self, theirs: socket.socket) -> None:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))
        while True:
            try:
                self._keeper.door.sendmsg([b"job"], [rights])
                return
            except BlockingIOError:
                await anyio.wait_writable(self._keeper.door)
            except OSError as error:
                raise self._lost(f"The sandbox's keeper has gone: {error}.") from error

    async def _converse(self, sock: socket.socket, job: Job, on_line: OnLine | None) -> Finished:
        order = Order(
            argv=job.argv,
            scratch=job.scratch,
            cwd=job.cwd,
            read_only=job.read_only,
            env=job.env,
            limits=Ceilings(**job.limits.model_dump()),
        )
        await _send(sock, frame(ORDER, order.to_json()) + frame(STDIN, job.stdin))
        crash_point("job.begun")
        channel, line_start, output = bytearray(), 0, b""
        async for kind, payload in _frames(sock):
            if kind == CHANNEL:
                searched = len(channel)
                channel += payload
                while on_line is not None and (end := channel.find(b"\n", max(searched, line_start))) >= 0:
                    line = bytes(channel[line_start:end])
                    line_start = end + 1
                    await on_line(line)
            elif kind == OUTPUT:
                output = payload
            elif kind == RESULT:
                told: dict[str, Any] = json.loads(payload)
                if told["ended"] == "cancelled":
                    raise self._lost("The sandbox's keeper ended while the job ran.")
                returncode, printed = int(told.pop("returncode")), int(told.pop("printed"))
                report = SandboxReport.model_validate(self.report.model_dump() | told)
                return Finished(returncode, output, printed, bytes(channel), report)
            elif kind == ERROR:
                told = json.loads(payload)
                failure = JobRefused if told["kind"] == "refused" else SandboxUnavailable
                raise failure(told["message"])
        raise self._lost("The sandbox's warden ended without a result.")

    def _lost(self, why: str) -> SandboxUnavailable:
        self._when_lost(why)
        return SandboxUnavailable(why)


async def _send(sock: socket.socket, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            await anyio.wait_writable(sock)
        except (BrokenPipeError, ConnectionResetError):
            return  # what it said before it left is still to be read


async def _frames(sock: socket.socket) -> AsyncIterator[tuple[bytes, bytes]]:
    frames = Frames()
    while True:
        await anyio.wait_readable(sock)
        try:
            data = sock.recv(1 << 16)
        except BlockingIOError:
            continue
        except ConnectionResetError:
            return
        if not data:
            return
        for found in frames.feed(data):
            yield found


async def _wait_for_the_end(sock: socket.socket) -> None:
    """Hang up, and stay until the warden has: then nothing of the job is left."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(FAREWELL_S):
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it hung up first
        async for _ in _frames(sock):
            pass
