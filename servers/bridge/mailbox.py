"""What happens, in order, until somebody takes it."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Putting never waits; one taker at a time. It holds nothing that would have to be closed."""

    def __init__(self) -> None:
        self._held = deque[T]()
        self._news = anyio.Event()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, what: T) -> None:
        """Have it taken after all that was put before."""
        self._held.append(what)
        self._news.set()

    async def take(self) -> T:
        """The next one, once there is one."""
        while not self._held:
            self._news = anyio.Event()
            await self._news.wait()
        return self._held.popleft()
