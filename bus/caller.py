"""Durable calls: stored first, then delivered, answered the same way, idempotent by call id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from contracts.base import Model

R = TypeVar("R", bound=Model)

OnProgress = Callable[[float, float | None, str], Awaitable[None]]
"""Receives (done, total, message)."""


class Calls(Protocol):
    """What the engine needs of the bus to have work done."""

    async def call(
        self,
        server: str,
        tool: str,
        params: Model,
        result: type[R],
        *,
        call_id: str,
        run: str,
        step: str,
        on_progress: OnProgress | None = None,
    ) -> R:
        """Have `server` run `tool`, once per `call_id` whatever happens; an answer that is already stored is returned.

        Raises:
            CallFailed: the tool answered with a failure.
            StoreRefused: the call could not be stored; it was not made.
            BusUnavailable: the broker is gone.
        """
        ...
