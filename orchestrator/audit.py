"""All calls of the ledger at once, for figures over few runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bus.bus import Bus
from contracts.ledger import CallRecord
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.reading import Tally, records


@dataclass(frozen=True)
class Audit:
    """Calls in the order they were stored, and how many messages are foreign."""

    calls: tuple[CallRecord, ...]
    foreign: int


async def audit(bus: Bus, servers: Iterable[str], run: str = "") -> Audit:
    """The calls to `servers`, of one run or (without `run`) of all, and what hosts were refused."""
    tally, wanted = Tally(), Filter(kinds=frozenset({"call", "denial"}), run=run)
    found = [each async for each in records(bus, servers, wanted, tally) if isinstance(each, CallRecord)]
    return Audit(tuple(found), tally.foreign)
