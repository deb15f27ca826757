"""What the runs' stream holds for an auditor: gates, events of runs, grants, pins, and what was refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from pydantic import ValidationError

from bus.bus import Bus, Stored
from contracts.ledger import RUNS_STREAM, AuditRecord
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.merging import merged
from orchestrator.auditing.records import TOLD_OTHERWISE, broker_denials, denial, note
from orchestrator.seals import Seals


class Notes:
    """Reads what a filter takes, from where it stopped the last time."""

    def __init__(self, bus: Bus, wanted: Filter, seals: Seals, *, after: int = 0) -> None:
        self.after = after
        self.foreign = 0
        """Messages that nobody entitled sealed, of those that the filter is about."""
        self._bus = bus
        self._wanted = wanted
        self._seals = seals

    async def read(self) -> AsyncGenerator[AuditRecord]:
        """What there is by now."""
        since = None if self.after else self._wanted.since
        histories = [
            self._bus.history(RUNS_STREAM, each, after=self.after, since=since) for each in self._wanted.note_patterns()
        ]
        async with aclosing(merged(histories, lambda kept: kept.seq)) as messages:
            async for kept in messages:
                if self._wanted.until is not None and kept.stored_at > self._wanted.until:
                    return
                told = kept.subject.rpartition(".")[2] in TOLD_OTHERWISE
                found = () if told else await self._records(kept)
                self.foreign += found is None
                self.after = kept.seq  # what could not be dealt with is read again
                for each in found or ():
                    if self._wanted.takes(each, kept.body):
                        yield each

    async def _records(self, kept: Stored) -> tuple[AuditRecord, ...] | None:
        """What it tells; None: it is not by whom it had to be."""
        by = await self._seals.sealed_by(kept)
        if kept.subject.startswith("denied."):
            with suppress(ValidationError):
                return broker_denials(kept, by)
            return None
        found = denial(kept, by) if kept.subject.startswith("refused.") else note(kept, by)
        return None if found is None else (found,)
