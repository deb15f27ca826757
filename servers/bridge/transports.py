"""How a server is reached: its own process, started here, or a URL."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
from mcp.client import Transport
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from bus.background import background
from bus.mcp_sdk import TransportStreams
from servers.bridge.launch import launching
from servers.sandbox.text import plain

log = logging.getLogger(__name__)

_LINE_BYTES = 2000
_LINES_A_TURN = 200
_TURN_S = 10.0
_CONNECT_S = 30.0
_MOST_EVENT_BYTES = 8 << 20


class Said:
    """What a server writes to its standard error: passed on to the log, so much at a time, and its last lines kept."""

    def __init__(self) -> None:
        self._last = deque[str](maxlen=5)
        self._left = _LINES_A_TURN
        self._turn = 0.0
        self._rest = b""

    def begin(self) -> None:
        """Another process begins to speak."""
        self._last.clear()
        self._rest = b""

    def last_words(self) -> str:
        """The last lines, in one."""
        return " / ".join(self._last)

    async def read(self, fd: int) -> None:
        """Pass on what arrives, until cancelled or its writers have gone."""
        while True:
            await anyio.wait_readable(fd)
            if not self.take(fd):
                return

    def take(self, fd: int) -> bool:
        """Pass on what has arrived; False once its writers have gone."""
        try:
            while data := os.read(fd, 1 << 16):
                *lines, self._rest = (self._rest + data).split(b"\n")
                if len(self._rest) > _LINE_BYTES:
                    lines, self._rest = [*lines, self._rest], b""
                for line in lines:
                    self._line(plain(line[:_LINE_BYTES]).strip())
        except BlockingIOError:
            return True
        return False

    def _line(self, line: str) -> None:
        if not line:
            return
        self._last.append(line)
        if anyio.current_time() - self._turn > _TURN_S:
            self._left, self._turn = _LINES_A_TURN, anyio.current_time()
        self._left -= 1
        if self._left >= 0:
            log.warning("it said: %s", line)
        elif self._left == -1:
            log.warning("it said more than %d lines within %.0f s; they are left out", _LINES_A_TURN, _TURN_S)


def by_command(
    program: Path, arguments: Sequence[str], ports: Sequence[int], home: Path, given: Mapping[str, str], said: Said
) -> Callable[[], Transport]:
    """A process of its own, with a home and a folder for temporary files below `home`; dies with this one."""

    @asynccontextmanager
    async def transport() -> AsyncGenerator[TransportStreams]:
        temporary = home / "tmp"
        temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        environment = {
            "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": str(home),
            "TMPDIR": str(temporary),
            **given,
        }
        command, *words = launching(program, arguments, ports, tuple(environment))
        server = StdioServerParameters(command=command, args=words, env=environment, cwd=home)
        said.begin()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        with os.fdopen(reading), os.fdopen(writing, "w") as errors:
            try:
                async with background(lambda: said.read(reading)), stdio_client(server, errors) as streams:
                    yield streams
            finally:
                said.take(reading)

    return transport


def by_url(url: str) -> Callable[[], Transport]:
    """Streamable HTTP. A call may take any time, so only connecting has a limit."""

    @asynccontextmanager
    async def transport() -> AsyncGenerator[TransportStreams]:
        async with (
            httpx2.AsyncClient(timeout=httpx2.Timeout(_CONNECT_S, read=None)) as client,
            streamable_http_client(url, http_client=client, max_sse_event_size=_MOST_EVENT_BYTES) as streams,
        ):
            yield streams

    return transport
