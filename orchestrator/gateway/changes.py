"""What changes in the crew, on its way to hosts of both eras.

Hosts of 2026-07-28 listen (`subscriptions/listen`); those before are told on their session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp.shared.subscriptions import event_to_notification

from bus.mcp_sdk import connection_state

log = logging.getLogger(__name__)


class Changes:
    """Tells everybody who wants to know; a `SubscriptionBus` of the SDK's."""

    def __init__(self) -> None:
        self._listening = InMemorySubscriptionBus()
        self._sessions: list[ServerSession] = []

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See `mcp.server.subscriptions.SubscriptionBus`."""
        return self._listening.subscribe(listener)

    def watch(self, session: ServerSession, uri: str) -> None:
        """Tell this session when that resource is updated (`resources/subscribe`)."""
        _watched(session).add(uri)

    def unwatch(self, session: ServerSession, uri: str) -> None:
        """No more."""
        _watched(session).discard(uri)

    def remember(self, session: ServerSession) -> None:
        """Tell this session, too; it is one that cannot listen."""
        self._sessions.append(session)

    async def publish(self, event: ServerEvent) -> None:
        """Tell everybody; a session that does not take it any more is forgotten."""
        await self._listening.publish(event)
        for session in list(self._sessions):
            if isinstance(event, ResourceUpdated) and event.uri not in _watched(session):
                continue
            try:
                await session.send_notification(event_to_notification(event, {}))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as gone:
                log.info("a session is gone: %r", gone)
                self._sessions.remove(session)


def _watched(session: ServerSession) -> set[str]:
    return connection_state(session).setdefault("watched resources", set[str]())
