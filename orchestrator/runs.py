"""Runs in the ledger, for whoever only wants to look."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio

from bus.bus import Bus, Message
from bus.errors import Unreadable
from contracts.base import Model
from contracts.gate import GateRequest
from contracts.run import Event
from contracts.state import RunState
from orchestrator import gates
from orchestrator.errors import Torn, UnknownRun
from orchestrator.journal import Journal
from orchestrator.seals import Seals, events
from orchestrator.state import fold

LOOK_AGAIN_S = 2.0
"""How often the ledger is read anew while following; what is heard of is read at once."""


class Shown(Model):
    """`podium show --json`: the run, and the question it waits on."""

    state: RunState
    gate: GateRequest | None = None


@dataclass(frozen=True)
class Listing:
    """All runs of a ledger."""

    runs: tuple[RunState, ...]
    """The last begun first, in the ledger's order: no clock has a say in it."""
    torn: tuple[Torn | Unreadable, ...]
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


async def shown(bus: Bus, run: str) -> Shown:
    """The run as it stands, with its open question; raises as `events_of`."""
    state = await state_of(bus, run)
    return Shown(state=state, gate=await gates.pending(bus, state))


async def looks(bus: Bus, run: str) -> AsyncGenerator[RunState]:
    """The run as it stands, again and again: when something of it or of its gates is stored, and now and then.

    Close it (`contextlib.aclosing`) when you have seen enough; raises as `events_of`.
    """
    hint = anyio.Event()

    async def on_hint(_: Message) -> None:
        hint.set()

    async with AsyncExitStack() as listening:
        for what in ("run", "gate"):
            await listening.enter_async_context(bus.listen(f"{what}.{run}.>", on_hint))
        while True:
            yield await state_of(bus, run)
            with anyio.move_on_after(LOOK_AGAIN_S):
                await hint.wait()
            hint = anyio.Event()


async def started(bus: Bus) -> tuple[Event, ...]:
    """The beginning of every run, newest first; nothing else is read."""
    seals = Seals(bus)
    found = [event async for _, event in events(bus, seals, what="started") if event is not None]
    return tuple(reversed(found))


async def list_runs(bus: Bus) -> Listing:
    """Every run's state."""
    found: dict[str, list[Event]] = {}
    torn: dict[str, Torn] = {}
    unreadable: tuple[Unreadable, ...] = ()
    try:
        async for _, event in events(bus, Seals(bus)):
            if event is not None:
                of_run = found.setdefault(event.run, [])
                of_run.append(event)
                if event.n != len(of_run):
                    torn.setdefault(event.run, Torn(event.run, len(of_run), event.n))
    except Unreadable as wrong:
        unreadable = (wrong,)
    states = [fold(each) for run, each in found.items() if run not in torn]
    return Listing(tuple(reversed(states)), (*torn.values(), *unreadable))
