"""A durable call that has been made: what has come of it so far, and whether anything still can."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from bus.bus import Message
from bus.errors import ServerGone, StoreFull
from bus.subjects import CallSubject

log = logging.getLogger(__name__)

OnNotification = Callable[[bytes], Awaitable[None]]
"""Receives the body of each JSON-RPC notification that belongs to a call."""


@dataclass
class Waiting:
    """Whoever waits for one call's result."""

    subject: CallSubject
    look_at: float
    """When to look into the ledger, in case the delivery was missed; `anyio.current_time()`."""
    silence_s: float
    for_client: bool = False
    news: anyio.Event = field(default_factory=anyio.Event)
    notifications: list[bytes] = field(default_factory=list[bytes])
    result: Message | None = None
    """Once it has arrived; its body may be kept apart."""
    away_since: float | None = None
    """Since when its server was not found in the registry; `anyio.current_time()`."""
    beat: tuple[int, float] = (-1, 0.0)
    """The last heartbeat of its server, and since when it is that; `anyio.current_time()`."""
    hopeless: ServerGone | StoreFull | None = None

    async def answered(self, on_notification: OnNotification | None) -> Message:
        """The result, after every notification that came before it."""
        while self.result is None or self.notifications:
            if not self.notifications:
                if self.hopeless is not None:
                    raise self.hopeless
                await self.news.wait()
            told, self.notifications = self.notifications, []
            for body in told:
                try:
                    if on_notification is not None:
                        await on_notification(body)
                except Exception as wrong:  # nobody vouches for it, and no result is to be lost over it
                    log.warning("a notification of %s was not understood: %r", self.subject, wrong)
        return self.result

    def tell(self) -> None:
        """Wake whoever waits for news."""
        self.news.set()
        self.news = anyio.Event()
