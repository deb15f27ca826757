"""Four ways to the small server: a bus in memory, a real nats-server, and a gateway's standard streams and HTTP."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import anyio
from mcp import Client, StdioServerParameters
from mcp.client import Transport
from mcp.client.stdio import stdio_client

from bus.background import background
from bus.caller import open_caller
from bus.registry import announced
from bus.transport import nats_transport
from contracts.base import utc_now
from contracts.manifest import Card, Manifest, tools_digest
from tests.bus.rigs import MemoryRig, Rig, nats_rig
from tests.gateway.http.web import serving, web
from tests.transports.small import small_server

ROOT = Path(__file__).resolve().parents[2]
ON_STDIO = StdioServerParameters(
    command=sys.executable, args=["-m", "tests.transports.on_stdio"], env={**os.environ, "PYTHONPATH": str(ROOT)}
)

CARD = Card(
    manifest=Manifest(name="echo", title="Small", description="For tests."),
    tools=(),
    tools_sha256=tools_digest(()),
    granted_scopes=(),
    granted_calls=(),
    instance="only",
    pid=os.getpid(),
    started_at=utc_now(),
    confinement="none",
)
"""By which callers know that it is there."""

T = TypeVar("T")


@dataclass(frozen=True)
class Way:
    """The server, as it is served."""

    target: Callable[[], Transport | str]
    """What a client is made with."""
    die: Callable[[Client], Awaitable[None]]
    """End what the client speaks to, whatever it is at."""


class _Mortal(Generic[T]):
    """Something that is open until the block ends, or until it is told to end before."""

    def __init__(self, opened: AbstractAsyncContextManager[T]) -> None:
        self._opened = opened
        self._told = anyio.Event()
        self._open = anyio.Event()
        self._over = anyio.Event()
        self.value: T

    async def run(self) -> None:
        async with self._opened as self.value:
            self._open.set()
            await self._told.wait()
        self._over.set()

    async def opened(self) -> None:
        await self._open.wait()

    async def end(self, _: Client) -> None:
        self._told.set()
        await self._over.wait()


@asynccontextmanager
async def _mortal(opened: AbstractAsyncContextManager[T]) -> AsyncGenerator[_Mortal[T]]:
    mortal = _Mortal(opened)
    async with background(mortal.run):
        await mortal.opened()
        yield mortal


@asynccontextmanager
async def _member(rig: Rig) -> AsyncGenerator[None]:
    async with (
        rig.connect("echo") as bus,
        serving(bus, small_server()),
        announced(bus, CARD, calls_answered=lambda: 0),
    ):
        yield


@asynccontextmanager
async def _on_bus(rig: Rig) -> AsyncGenerator[Way]:
    async with _mortal(_member(rig)) as member, rig.connect("orchestrator") as bus, open_caller(bus) as caller:
        yield Way(lambda: nats_transport(caller, bus, "echo"), member.end)


@asynccontextmanager
async def in_memory(folder: Path) -> AsyncGenerator[Way]:
    """The double of the bus."""
    async with _on_bus(MemoryRig()) as way:
        yield way


@asynccontextmanager
async def over_nats(folder: Path) -> AsyncGenerator[Way]:
    """A real broker with permissions."""
    async with nats_rig(folder) as rig, _on_bus(rig) as way:
        yield way


@asynccontextmanager
async def over_stdio(folder: Path) -> AsyncGenerator[Way]:
    """A process for each client, as hosts start `podium mcp --as-is`."""

    async def kill(client: Client) -> None:
        seen = (await client.call_tool("seen")).structured_content
        os.kill(seen["pid"], signal.SIGKILL)

    yield Way(lambda: stdio_client(ON_STDIO), kill)


@asynccontextmanager
async def over_http(folder: Path) -> AsyncGenerator[Way]:
    """As `podium mcp --http --as-is` serves."""
    async with _mortal(web(MemoryRig(), member=small_server(), as_is=True)) as gateway:
        yield Way(lambda: gateway.value, gateway.end)


WAYS: dict[str, Callable[[Path], AbstractAsyncContextManager[Way]]] = {
    "memory": in_memory,
    "nats": over_nats,
    "stdio": over_stdio,
    "http": over_http,
}
