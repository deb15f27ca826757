"""What stands on the bus and may change at any time, as a reader goes by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")

FRESH_S = 1.0
"""How long a reader goes by what it has read; the broker knows of a change at once."""


class Fresh(Generic[T]):
    """Values by name; of each, what was read last."""

    def __init__(self, read: Callable[[str], Awaitable[T]]) -> None:
        self._read = read
        self._seen: dict[str, tuple[float, T]] = {}

    async def get(self, name: str, does: Callable[[T], object]) -> T:
        """What was read of `name` within `FRESH_S` if that `does`, else what stands there now.

        So whoever is refused something is refused by what holds now, and who may have it, may for a moment longer.

        Raises:
            BusUnavailable: nobody can say.
        """
        now = anyio.current_time()
        self._seen = {other: (at, value) for other, (at, value) in self._seen.items() if now - at < FRESH_S}
        if (seen := self._seen.get(name)) is not None and does(seen[1]):
            return seen[1]
        value = await self._read(name)
        self._seen[name] = now, value
        return value
