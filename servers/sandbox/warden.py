"""One warden process per job: starts it, carries its output, watches its limits, and leaves nothing behind.

Single-threaded, and the subreaper of everything the job starts. It ends the job when the program exits,
when a limit is passed, when the client goes away, and when the keeper does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import selectors
import signal
import socket
import time
from types import FrameType

from servers.sandbox import tree
from servers.sandbox.backends.base import Backend, Pipes, Running
from servers.sandbox.order import (
    CHANNEL,
    ERROR,
    ORDER,
    OUTPUT,
    RESULT,
    STDIN,
    Frames,
    Order,
    Policy,
    Refused,
    SetUpFailed,
    check,
    frame,
)
from servers.sandbox.watch import TICK_S, Watchdog

CHUNK = 1 << 16
CHUNKS_A_TURN = 256
"""More than a pipe holds; fewer than would keep the warden from its other duties."""
MOST_UNSENT = 4 << 20
"""Bytes waiting for the client before the channel is no longer read, which makes the program wait."""
FAREWELL_S = 30
SAID = 500
"""Bytes of a failed set-up's own words that are passed on."""


class HeadAndTail:
    """Keeps the beginning and the end of a stream."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.seen = 0

    def add(self, data: bytes) -> None:
        """The next bytes."""
        self.seen += len(data)
        fits = self._half - len(self._head)
        if fits > 0:
            self._head += data[:fits]
            data = data[fits:]
        self._tail += data
        if len(self._tail) > 2 * self._half:
            del self._tail[: len(self._tail) - self._half]

    def kept(self) -> bytes:
        """What is left, with a line that says what is not."""
        tail = bytes(self._tail[-self._half :]) if self._half else b""
        dropped = self.seen - len(self._head) - len(tail)
        gap = f"\n[... {dropped} bytes left out ...]\n".encode() if dropped else b""
        return bytes(self._head) + gap + tail


class Warden:
    """Runs one order that arrives on `client`, and answers there."""

    def __init__(self, client: socket.socket, keeper_gone: int, backend: Backend, policy: Policy) -> None:
        self._client = client
        self._keeper_gone = keeper_gone
        self._backend = backend
        self._policy = policy
        self._unsent = bytearray()
        self._ended: str | None = None
        self._channel_seen = 0
        self._peak = 0

    def serve(self) -> None:
        """Run the order to its end; afterwards no process of it exists."""
        try:
            order, stdin = self._receive()
            check(order, self._policy)
            for folder in (order.home, order.tmp):
                folder.mkdir(parents=True, exist_ok=True)
            last = self._run(order, stdin)
        except Refused as refusal:
            last = [_error("refused", refusal)]
        except (SetUpFailed, OSError) as problem:
            last = [_error("set-up", problem)]
        finally:
            tree.end_everything()
        self._client.settimeout(FAREWELL_S)
        with contextlib.suppress(OSError):  # the client may have gone
            self._client.sendall(bytes(self._unsent) + b"".join(last))

    def _receive(self) -> tuple[Order, bytes]:
        frames, got = Frames(), dict[bytes, bytes]()
        while STDIN not in got:
            data = self._client.recv(CHUNK)
            if not data:
                raise Refused("The client went away before its order was complete.")
            try:
                got.update(frames.feed(data))
            except ValueError as error:
                raise Refused(str(error)) from error
        try:
            return Order.from_json(got[ORDER]), got[STDIN]
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"Not an order: {error!r}") from error

    def _run(self, order: Order, stdin: bytes) -> list[bytes]:
        output_read, output_write = os.pipe()
        channel_read, channel_write = os.pipe()
        stdin_fd = _sealed(stdin)
        wake_read, wake_write = os.pipe()
        for fd in (output_read, channel_read, wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, _noticed)
        began = time.monotonic()
        try:
            running = self._backend.start(order, Pipes(stdin_fd, output_write, channel_write))
        finally:
            for fd in (stdin_fd, output_write, channel_write):
                os.close(fd)

        output = HeadAndTail(order.limits.output_bytes)
        statuses = self._attend(order, running, began, output, output_read, channel_read, wake_read)
        wall_s = time.monotonic() - began
        statuses |= tree.end_everything()
        self._take_output(output_read, output, order)
        self._take_channel(channel_read, order, patient=False)

        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            returncode = running.finish(statuses.get(running.pid, signal.SIGKILL))
        except SetUpFailed as problem:
            said = output.kept()[-SAID:].decode(errors="replace").strip()
            raise SetUpFailed(f"{problem}: {said}") from problem
        ended = self._ended or {True: "exited", False: "signalled"}[returncode >= 0]
        result = {
            "returncode": returncode,
            "printed": output.seen,
            "ended": "cpu_time" if returncode == -signal.SIGXCPU and ended == "signalled" else ended,
            "wall_s": wall_s,
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_memory_bytes": self._peak,
        }
        return [frame(OUTPUT, output.kept()), frame(RESULT, json.dumps(result).encode())]

    def _attend(
        self,
        order: Order,
        running: Running,
        began: float,
        output: HeadAndTail,
        output_read: int,
        channel_read: int,
        wake_read: int,
    ) -> dict[int, int]:
        """Carry and watch until the program ends or must; the wait statuses seen so far."""
        watchdog = Watchdog(order.limits, order.scratch, helpers=running.helpers)
        statuses: dict[int, int] = {}
        self._client.setblocking(False)
        selector = selectors.DefaultSelector()
        for fd in (self._keeper_gone, output_read, channel_read, wake_read):
            selector.register(fd, selectors.EVENT_READ)
        selector.register(self._client, selectors.EVENT_READ)
        next_look = time.monotonic()
        while self._ended is None and running.pid not in statuses:
            now = time.monotonic()
            if now - began > order.limits.wall_s:
                self._ended = "wall_time"
                break
            if now >= next_look:
                self._ended = watchdog.breach()
                next_look = time.monotonic() + TICK_S
            self._choose(selector, channel_read)
            for key, events in selector.select(max(0.0, next_look - time.monotonic())):
                if key.fd == output_read:
                    if self._take_output(output_read, output, order):
                        selector.unregister(output_read)
                elif key.fd == channel_read:
                    if self._take_channel(channel_read, order, patient=True):
                        selector.unregister(channel_read)
                        channel_read = -1
                elif key.fd == wake_read:
                    os.read(wake_read, CHUNK)
                elif key.fd == self._keeper_gone:
                    self._ended = "cancelled"
                else:
                    self._client_moved(events)
            statuses |= tree.reap()[0]
        selector.close()
        self._peak = watchdog.peak_memory_bytes
        return statuses

    def _choose(self, selector: selectors.DefaultSelector, channel_read: int) -> None:
        """Write to the client while there is something; read the channel while there is room."""
        writing = selectors.EVENT_WRITE if self._unsent else 0
        selector.modify(self._client, selectors.EVENT_READ | writing)
        if channel_read < 0:
            return
        listening = channel_read in selector.get_map()
        full = len(self._unsent) > MOST_UNSENT
        if full and listening:
            selector.unregister(channel_read)
        elif not full and not listening:
            selector.register(channel_read, selectors.EVENT_READ)

    def _client_moved(self, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                sent = self._client.send(self._unsent)
                del self._unsent[:sent]
            if events & selectors.EVENT_READ:
                # It has nothing more to say: what arrives is the end.
                self._client.recv(CHUNK)
                self._ended = "cancelled"
        except BlockingIOError:
            pass
        except OSError:
            self._ended = "cancelled"

    def _take_output(self, fd: int, output: HeadAndTail, order: Order) -> bool:
        """Read what is there; True at the end of the stream."""
        for _ in range(CHUNKS_A_TURN):
            data = _read(fd)
            if not data:
                return data is not None
            output.add(data)
            if output.seen > order.limits.output_kill_bytes:
                self._ended = self._ended or "output"
                return True
        return False

    def _take_channel(self, fd: int, order: Order, *, patient: bool) -> bool:
        """As `_take_output`; `patient` leaves bytes in the pipe while the client is slow."""
        while not (patient and len(self._unsent) > MOST_UNSENT):
            data = _read(fd)
            if not data:
                return data is not None
            self._channel_seen += len(data)
            if self._channel_seen > order.limits.channel_bytes:
                self._ended = self._ended or "output"
                return True
            self._unsent += frame(CHANNEL, data)
        return False


def _read(fd: int) -> bytes | None:
    """What is there now; None when nothing is, empty at the end."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return None


def _sealed(content: bytes) -> int:
    """A file in memory that the program can read as its stdin and not change."""
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def _error(kind: str, problem: BaseException) -> bytes:
    return frame(ERROR, json.dumps({"kind": kind, "message": str(problem)}).encode())


def _noticed(number: int, where: FrameType | None) -> None:
    """The wake-up descriptor has it already."""
