"""What a house does for its ledger, as the operator: set it up, and see that nothing was lost between two houses.

Each function opens its own event loop, so it runs in a fork: the house has none, and holds no key.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from bus import marks
from bus.broker import sync_store
from bus.bus import Bus, Stored
from bus.caller import new_call_id
from bus.connect import connect, identities
from bus.errors import BusError, BusUnavailable, InvalidMessage
from bus.grants import OPERATOR, Grant
from bus.identity import past_keys
from bus.nats_link import addresses
from bus.provision import REPLICAS_ENV, provision, replicas
from bus.registry import forget_all
from bus.roster import Keys, LiveRoster
from bus.subjects import denied
from contracts.crew_note import Granted, Pinned
from contracts.ledger import RUNS_STREAM, Denials
from servers.crew import Crew

log = logging.getLogger(__name__)

_TAKEN_UP_S = 5.0
_NOTED_S = 5.0


def marks_file(state: Path) -> Path:
    """Where it is written how far the ledger had come."""
    return state / "broker" / "marks.json"


def set_up(state: Path, url: str, crew: Crew, public: dict[str, str], *, ours: bool) -> str:
    """Make what the crew needs; what the ledger has lost since it was put down, in words.

    `ours` says that the store is this house's alone, so that whoever is still announced there is gone, and nobody
    else can have changed it.

    Raises:
        BusError: it cannot be set up.
    """

    async def run() -> str:
        async with connect(state, url, OPERATOR) as bus:
            await _provision(bus, state, crew, public)
            if not ours:
                return ""
            sync_store(marks_file(state).parent)
            await forget_all(bus)
            return await _mark(bus, state, crew.grants())

    return anyio.run(run)


def extend(state: Path, url: str, crew: Crew, public: dict[str, str], *, ours: bool) -> None:
    """Make what a crew that has changed needs, and see that the broker knows everybody.

    Raises:
        BusError: it cannot be set up.
    """

    async def run() -> None:
        for broker in addresses(url):
            await _known(state, broker, OPERATOR)  # whose key may be another one
        async with connect(state, url, OPERATOR) as bus:
            await _provision(bus, state, crew, public)
        if ours:
            sync_store(marks_file(state).parent)
        for each in crew.grants():
            for broker in addresses(url):
                await _known(state, broker, each.name)

    anyio.run(run)


async def _provision(bus: Bus, state: Path, crew: Crew, public: dict[str, str]) -> None:
    roster = {name: Keys(key, past_keys(identities(state), name)).entry() for name, key in public.items()}
    await provision(bus, crew.grants(), roster, replicas=replicas(bus, os.environ.get(REPLICAS_ENV, "")))
    await note(bus, crew)


async def note(bus: Bus, crew: Crew) -> None:
    """Put on the ledger what members and hosts are granted, and whose tools are pinned, where that is news."""
    roster, notes = LiveRoster(bus), crew.notes()
    last = {kept.subject: kept for kept in await bus.newest(RUNS_STREAM, tuple(notes))}
    for subject, said in notes.items():
        if not await _stands(roster, last.get(subject), said):
            await bus.store(subject, said.canonical())


async def _stands(roster: LiveRoster, kept: Stored | None, said: Granted | Pinned) -> bool:
    """Whether what was noted last is that."""
    if kept is None or kept.body != said.canonical():
        return False
    try:
        return await roster.opened(kept.subject, kept.body, kept.headers, kept.stored_at) == OPERATOR
    except InvalidMessage:
        return False


async def _known(state: Path, url: str, name: str) -> None:
    """Wait until the broker, which takes up a new configuration in its own time, lets `name` in.

    A node of a cluster that is away takes it up when it comes back.
    """
    deadline = anyio.current_time() + _TAKEN_UP_S
    while True:
        try:
            async with connect(state, url, name):
                return
        except BusError as wrong:
            if isinstance(wrong.__cause__, OSError):
                return
            if anyio.current_time() > deadline:
                raise BusUnavailable(f"{url} does not let {name} in; see `podium broker-config`: {wrong}") from wrong
            await anyio.sleep(0.01)


def note_denials(state: Path, url: str, notes: Mapping[str, Denials]) -> None:
    """Put on the ledger what the broker refused, by whom.

    Raises:
        BusError: it cannot be stored.
        TimeoutError: not in time.
    """

    async def run() -> None:
        with anyio.fail_after(_NOTED_S):
            async with connect(state, url, OPERATOR) as bus:
                for name, note in notes.items():
                    await bus.store(denied(name, new_call_id()), note.canonical())

    anyio.run(run)


def put_down(state: Path, url: str, crew: Sequence[Grant]) -> None:
    """Note how far the ledger has come; what it lost meanwhile goes to the log, and stops the next house.

    Raises:
        BusError: nothing could be noted.
    """

    async def run() -> str:
        async with connect(state, url, OPERATOR) as bus:
            return await _mark(bus, state, crew)

    try:
        lost = anyio.run(run)
    except OSError as wrong:
        log.error("how far the ledger has come could not be noted: %s", wrong)
        return
    if lost:
        log.error("the ledger has lost something while this house was up: %s", lost)


async def _mark(bus: Bus, state: Path, crew: Sequence[Grant]) -> str:
    file = marks_file(state)
    try:
        before = marks.read(file)
    except marks.LedgerTorn as wrong:
        return str(wrong)
    now = await marks.take(bus, [each.name for each in crew if each.serves], before)
    lost = ", ".join(marks.losses(before, now))
    if not lost:
        marks.write(file, now)  # never back to less
    return lost
