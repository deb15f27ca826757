"""All records of the ledger that a filter takes: once through, the last of them, or as they come."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import anyio

from bus.bus import Bus
from bus.errors import BusUnavailable
from contracts.checkpoint import Checkpoint
from contracts.ledger import CHECKPOINT, NOTARY_STREAM, RUNS_STREAM, AuditRecord, CallRecord, server_stream
from orchestrator.auditing.calls import Calls
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.merging import merged
from orchestrator.auditing.notes import Notes
from orchestrator.recording import readable
from orchestrator.seals import Seals, bodies_given_up

_LOOK_AGAIN_S = 0.5
_PATIENCE_S = 120.0
"""For how long a broker that is followed may be away."""
_FIRST_LOOK = 8
"""Messages of a stream that are read first, for each of the last records that are wanted."""
_DEEPER = 8


@dataclass
class Tally:
    """What was left out on the way."""

    foreign: int = 0


async def everybody(bus: Bus) -> tuple[str, ...]:
    """Servers with a stream on the ledger: the crew's, and those that have left it."""
    kept = await bus.last(NOTARY_STREAM, CHECKPOINT)
    signed = Checkpoint.model_validate_json(kept.body).streams if kept else ()
    prefix = server_stream("")
    gone = {each.removeprefix(prefix) for each in signed if each.startswith(prefix) and each != RUNS_STREAM}
    return tuple(sorted({*await readable(bus), *gone}))


async def records(
    bus: Bus, servers: Iterable[str], wanted: Filter, tally: Tally, *, check: bool = True
) -> AsyncGenerator[AuditRecord]:
    """What `wanted` takes, in the order it was stored. Without `check` it is believed who sealed what."""
    seals = Seals(bus)
    pruned = await bodies_given_up(bus)
    calls = [Calls(bus, each, wanted, seals, check=check, pruned=pruned) for each in sorted(set(servers))]
    notes = Notes(bus, wanted, seals)
    try:
        async with aclosing(merged([notes.read(), *map(_all, calls)], lambda record: record.at)) as found:
            async for each in found:
                yield each
    finally:
        tally.foreign = sum(each.foreign for each in (*calls, notes))


async def last(bus: Bus, servers: Iterable[str], wanted: Filter, number: int) -> list[AuditRecord]:
    """The last records, as many as `number`; of a stream only its end is read, if they are there."""
    seals, pruned = Seals(bus), await bodies_given_up(bus)
    found = await _last(bus, RUNS_STREAM, number, lambda after: Notes(bus, wanted, seals, after=after).read())
    for server in sorted(set(servers)):

        def read(after: int, server: str = server) -> AsyncGenerator[AuditRecord]:
            return _all(Calls(bus, server, wanted, seals, after=after, pruned=pruned))

        found += await _last(bus, server_stream(server), number, read)
    return sorted(found, key=lambda record: record.at)[-number:]


async def _last(
    bus: Bus, stream: str, number: int, read: Callable[[int], AsyncGenerator[AuditRecord]]
) -> list[AuditRecord]:
    newest = await bus.last(stream, ">")
    end, depth = newest.seq if newest else 0, _FIRST_LOOK * number
    while True:
        after, found = max(0, end - depth), deque[AuditRecord](maxlen=number)
        async with aclosing(read(after)) as taken:
            async for each in taken:
                found.append(each)
        if len(found) == number or not after:
            return list(found)
        depth *= _DEEPER


async def follow(bus: Bus, wanted: Filter) -> AsyncGenerator[AuditRecord]:
    """What `wanted` takes from `wanted.since` on, else from now on, without end: calls once they are answered.

    Raises:
        BusUnavailable: the broker has been away for two minutes.
    """
    seals = Seals(bus)
    readers: dict[str, Notes | Calls] = {}
    heard_at = anyio.current_time()
    first = True
    while True:
        try:
            for stream, make in await _makers(bus, wanted, seals):
                if stream not in readers:
                    newest = await bus.last(stream, ">") if first and wanted.since is None else None
                    readers[stream] = make(after=newest.seq if newest else 0)
            first = False
            for reader in readers.values():
                async with aclosing(reader.read()) as found:
                    async for each in found:
                        yield each
            heard_at = anyio.current_time()
        except BusUnavailable:
            if anyio.current_time() > heard_at + _PATIENCE_S:
                raise
        await anyio.sleep(_LOOK_AGAIN_S)


async def _makers(bus: Bus, wanted: Filter, seals: Seals) -> list[tuple[str, Callable[..., Notes | Calls]]]:
    """How each stream is read."""
    pruned = await bodies_given_up(bus)
    made: list[tuple[str, Callable[..., Notes | Calls]]] = [(RUNS_STREAM, partial(Notes, bus, wanted, seals))]
    for server in await everybody(bus):
        made.append((server_stream(server), partial(Calls, bus, server, wanted, seals, ordered=False, pruned=pruned)))
    return made


async def _all(calls: Calls) -> AsyncGenerator[CallRecord]:
    for part in (calls.read(), calls.rest()):
        async with aclosing(part) as found:
            async for each in found:
                yield each
