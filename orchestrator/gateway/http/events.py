"""What clients of 2025 come back for: the last messages of a session's streams.

Specification 2025-11-25, transports, resumability and redelivery.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage

KEEP_BYTES = 1 << 20
"""How much of one session is kept; the newest message is kept whatever its size."""


@dataclass(frozen=True)
class _Event:
    number: int
    stream: str
    message: JSONRPCMessage | None
    size: int


class RecentEvents(EventStore):
    """The last messages of one session."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self._keep_bytes = keep_bytes
        self._numbers = count(1)
        self._events = deque[_Event]()
        self._held = 0

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep a message and give it a number."""
        size = 0 if message is None else len(message.model_dump_json(by_alias=True, exclude_unset=True))
        event = _Event(next(self._numbers), stream_id, message, size)
        self._events.append(event)
        self._held += size
        while self._held > self._keep_bytes and len(self._events) > 1:
            self._held -= self._events.popleft().size
        return str(event.number)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what followed on the stream of that event; None if the event is no longer known."""
        kept = list(self._events)
        last = next((event for event in kept if str(event.number) == last_event_id), None)
        if last is None:
            return None
        for event in kept:
            if event.stream == last.stream and event.message is not None and event.number > last.number:
                await send_callback(EventMessage(event.message, str(event.number)))
        return last.stream
