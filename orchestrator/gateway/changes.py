"""What changes in the crew, on its way to hosts of both eras.

Hosts of 2026-07-28 listen (`subscriptions/listen`); those before are told on their session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import anyio
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.shared.subscriptions import event_to_notification

from bus.mcp_sdk import at_end, connection_state

log = logging.getLogger(__name__)

_RESOURCES = "told of resources"
PATIENCE_S = 1.0
"""How long a session may take to be told; whoever does not read holds nobody else up for longer."""


class TellingServer(Server[Any]):
    """Says that it tells of changes on every transport; the SDK leaves that of the handshake era to each of them."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """See `Server`."""
        told = notification_options or NotificationOptions(True, True, True)
        return super().create_initialization_options(told, experimental_capabilities, extensions)


class Changes:
    """Tells everybody who wants to know; a `SubscriptionBus` of the SDK's."""

    def __init__(self) -> None:
        self._listening = InMemorySubscriptionBus()
        self._sessions: list[ServerSession] = []

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """See `mcp.server.subscriptions.SubscriptionBus`."""
        return self._listening.subscribe(listener)

    def watched(self, session: ServerSession) -> frozenset[str]:
        """The resources this session is told of."""
        return frozenset(_watched(session))

    def watch(self, session: ServerSession, uri: str) -> bool:
        """Tell this session when that resource is updated; False where it is told already."""
        fresh = uri not in _watched(session)
        _watched(session).add(uri)
        return fresh

    def unwatch(self, session: ServerSession, uri: str) -> bool:
        """No more; False where it was not told."""
        known = uri in _watched(session)
        _watched(session).discard(uri)
        return known

    def remember(self, session: ServerSession, *, resources: bool = True) -> None:
        """Tell this session, too, until it is over; it is one that cannot listen. `resources`: also of those."""

        async def forget() -> None:
            self._sessions.remove(session)

        connection_state(session)[_RESOURCES] = resources
        self._sessions.append(session)
        at_end(session, forget)

    async def publish(self, event: ServerEvent) -> None:
        """Tell everybody."""
        await self._listening.publish(event)
        async with anyio.create_task_group() as tasks:
            for session in self._sessions:
                if _wants(session, event):
                    tasks.start_soon(self._tell, session, event)

    async def _tell(self, session: ServerSession, event: ServerEvent) -> None:
        with anyio.move_on_after(PATIENCE_S) as scope:
            await session.send_notification(event_to_notification(event, {}))
        if scope.cancelled_caught:
            log.info("a session does not read what it is told: %s is dropped", event)


def _wants(session: ServerSession, event: ServerEvent) -> bool:
    match event:
        case ResourceUpdated(uri):
            return uri in _watched(session)
        case ResourcesListChanged():
            return connection_state(session)[_RESOURCES]
        case _:
            return True


def _watched(session: ServerSession) -> set[str]:
    return connection_state(session).setdefault("watched resources", set[str]())
