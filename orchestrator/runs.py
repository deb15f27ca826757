"""Runs in the ledger, for whoever only wants to look."""

from __future__ import annotations

from dataclasses import dataclass

from bus.bus import Bus
from contracts.run import Event
from contracts.state import RunState
from orchestrator.errors import Torn, UnknownRun
from orchestrator.journal import Journal
from orchestrator.seals import Seals, events
from orchestrator.state import fold


@dataclass(frozen=True)
class Listing:
    """All runs of a ledger."""

    runs: tuple[RunState, ...]
    """Newest first."""
    torn: tuple[Torn, ...]
    """Runs with events missing, of which nothing can be said."""


async def events_of(bus: Bus, run: str) -> tuple[Event, ...]:
    """The run's events, oldest first.

    Raises:
        UnknownRun: there are none.
        Torn: some are missing.
    """

    async def ignore(_: Event) -> None:
        """Nobody watches."""

    journal = await Journal.read(bus, run, ignore)
    if not journal.events:
        raise UnknownRun(run)
    return tuple(journal.events)


async def state_of(bus: Bus, run: str) -> RunState:
    """The run as it stands; raises as `events_of`."""
    return fold(await events_of(bus, run))


async def list_runs(bus: Bus) -> Listing:
    """Every run's state."""
    found: dict[str, list[Event]] = {}
    torn: dict[str, Torn] = {}
    async for _, event in events(bus, Seals(bus)):
        if event is not None:
            of_run = found.setdefault(event.run, [])
            of_run.append(event)
            if event.n != len(of_run):
                torn.setdefault(event.run, Torn(event.run, len(of_run), event.n))
    states = [fold(each) for run, each in found.items() if run not in torn]
    return Listing(tuple(sorted(states, key=lambda state: state.started_at, reverse=True)), tuple(torn.values()))
