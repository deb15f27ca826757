"""A web server for one application, within a program that has other things to do."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

CONNECTIONS = 512
"""Beyond as many at once, everybody gets 503."""
_END_S = 1
"""How long streams may take to end when the server does."""


class _Server(uvicorn.Server):
    """Leaves signals to the program it is part of."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listening(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: the address is none of this machine, or the port is taken.
    """
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=128)


@asynccontextmanager
async def served(app: ASGIApp, on: socket.socket) -> AsyncGenerator[None]:
    """Serve for as long as the block runs; the socket is closed with it."""
    config = uvicorn.Config(
        app,
        access_log=False,
        limit_concurrency=CONNECTIONS,
        log_config=None,
        log_level="warning",
        proxy_headers=False,  # whoever connects says what it likes in them
        server_header=False,
        timeout_graceful_shutdown=_END_S,
        ws="none",
    )
    server = _Server(config)

    async def run() -> None:
        with anyio.CancelScope(shield=True):  # it ends in good order, and only when it is told to
            await server.serve(sockets=[on])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            yield
        finally:
            server.should_exit = True
