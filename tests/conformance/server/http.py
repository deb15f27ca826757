"""The server over Streamable HTTP, on loopback."""

from __future__ import annotations

import socket
from collections import deque
from itertools import count
from typing import Any

import click
import uvicorn
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage

_RETRY_MS = 100
"""How long a 2025 client is told to wait before it comes back to a stream that was closed."""


class RecentEvents(EventStore):
    """The last messages of all streams, for 2025 clients that come back with `Last-Event-ID`."""

    def __init__(self, keep: int = 1000) -> None:
        self._numbers = count(1)
        self._events = deque[tuple[str, str, JSONRPCMessage | None]](maxlen=keep)

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep a message and give it a number."""
        number = str(next(self._numbers))
        self._events.append((number, stream_id, message))
        return number

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what followed on the stream of that event; None if the event is no longer known."""
        known = {number: stream for number, stream, _ in self._events}
        stream_id = known.get(last_event_id)
        for number, stream, message in list(self._events):
            if stream == stream_id and message is not None and int(number) > int(last_event_id):
                await send_callback(EventMessage(message, number))
        return stream_id


def serve_http(server: Server[Any], port: int) -> None:
    """Serve until stopped; the first line of output is the address. Port 0 takes a free one."""
    listening = socket.create_server(("127.0.0.1", port))
    app = server.streamable_http_app(event_store=RecentEvents(), retry_interval=_RETRY_MS)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    click.echo(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp")
    uvicorn.Server(config).run(sockets=[listening])
