"""What a specialist that must account for itself reads of the ledger; see `servers.specialist.OwnLedger`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from bus.bus import Bus, Stored
from bus.errors import InvalidMessage
from bus.roster import LiveRoster
from bus.wire import JsonObject, as_object, parse
from contracts.ledger import RUNS_STREAM, server_stream
from contracts.run import Event, RunStartedEvent

_AGAIN_S = 0.1
ORCHESTRATOR = "orchestrator"


class BusLedger:
    """The ledger, as far as this identity may read it; what is not sealed by whom its subject names is not there."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._roster = LiveRoster(bus)

    async def run_started(self, run: str) -> RunStartedEvent | None:
        """See `OwnLedger.run_started`."""
        deadline = anyio.current_time() + self._bus.pause_s
        while (kept := await self._bus.glance(RUNS_STREAM, f"run.{run}.started")) is None:
            if anyio.current_time() >= deadline:
                return None
            await anyio.sleep(_AGAIN_S)  # the run has asked, so it has begun, and a replica will hear of it
        if await self._sealed_by(kept) != ORCHESTRATOR:
            return None
        what = Event.model_validate_json(kept.body).what
        return what if isinstance(what, RunStartedEvent) else None

    async def own_results(self) -> AsyncIterator[tuple[str, JsonObject]]:
        """See `OwnLedger.own_results`."""
        me = self._bus.identity
        async for kept in self._bus.history(server_stream(me), f"result.*.{me}.*"):
            if await self._sealed_by(kept) != me:
                continue
            result = as_object(parse(kept.subject, kept.body).get("result"))
            if result and not result.get("isError"):
                yield kept.subject.split(".")[1], as_object(result.get("structuredContent"))

    async def _sealed_by(self, kept: Stored) -> str:
        try:
            return await self._roster.opened(kept.subject, kept.body, kept.headers, kept.stored_at)
        except InvalidMessage:
            return ""
