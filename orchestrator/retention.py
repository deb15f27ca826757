"""What is kept of ended runs beside the ledger's messages, and its removal by policy.

No message is ever taken out of the ledger (docs/decisions/0014): that something was removed is one more event in it,
with the digests of what was there, so that it is told apart from what was lost.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from pathlib import Path

from bus.bodies import give_up, kept_apart
from bus.bus import Bus
from bus.errors import InvalidMessage
from bus.subjects import CallSubject
from bus.wire import correlation_of, parse
from contracts.ledger import server_stream
from contracts.run import Event, GivenUp, Pruned, RunPrunedEvent
from contracts.state import RunState
from orchestrator.journal import Journal
from orchestrator.seals import Seals

KEPT = ("bundles/{run}", "bundles/.{run}.new", "hosted/{run}", "work/{run}")
"""Where, below the state directory, something of a run lies."""


def due(states: Sequence[RunState], ended_before: datetime, keep: int) -> tuple[RunState, ...]:
    """Of runs, the last begun first, those that ended before then, but for the newest `keep`; oldest first. Pure."""
    ended = [(state.ended_at, state) for state in states if state.ended_at is not None]
    return tuple(state for at, state in reversed(ended[keep:]) if at < ended_before)


def kept(state_dir: Path, run: str) -> tuple[Pruned, ...]:
    """What is there: each file of a result with its digest; a work folder that was left over as one thing.

    Raises:
        OSError: it cannot be read.
    """
    found: list[Pruned] = []
    for place in _places(state_dir, run):
        files = sorted(file for file in place.rglob("*") if file.is_file() and not file.is_symlink())
        if place.parent.name == "work":
            size = sum(file.stat().st_size for file in files)
            found.append(Pruned(path=str(place.relative_to(state_dir)), bytes=size))
            continue
        for file in files:
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            found.append(Pruned(path=str(file.relative_to(state_dir)), bytes=file.stat().st_size, sha256=digest))
    return tuple(found)


async def large_bodies(operator: Bus, servers: Iterable[str]) -> dict[str, tuple[GivenUp, ...]]:
    """What is kept apart of calls to `servers` and of their answers, by the run that a call was made for.

    A run's events and its gates' questions are not among it: without them it could not be shown.

    Raises:
        StoreRefused: the broker does not say.
    """
    seals, found = Seals(operator), dict[str, tuple[GivenUp, ...]]()
    for server in servers:
        async with aclosing(kept_apart(operator, server)) as bodies:
            async for body in bodies:
                if run := await _run_of(operator, seals, server, body.subject):
                    found[run] = (*found.get(run, ()), body)
    return found


async def _run_of(bus: Bus, seals: Seals, server: str, subject: str) -> str:
    """The run that a call or its answer belongs to, by what the caller sealed; "" for none."""
    if subject.startswith("result."):
        _, caller, _, call_id = subject.split(".")
        subject = f"call.{server}.*.{caller}.{call_id}"
    kept = await bus.last(server_stream(server), subject)
    with suppress(InvalidMessage):
        if kept is not None and await seals.sealed_by(kept) == CallSubject.parse(kept.subject).caller:
            return correlation_of(parse(kept.subject, kept.body)).run
    return ""


async def prune(
    bus: Bus, operator: Bus, state_dir: Path, run: str, bodies: tuple[GivenUp, ...] = (), *, by: str, policy: str
) -> RunPrunedEvent:
    """Note what is about to be removed of an ended run, then remove it; done again, it removes what is left.

    `bodies` are of its calls and their answers (`large_bodies`); the operator alone may give them up.

    Raises:
        TakenOver: somebody else noted something at the same time; nothing was removed.
        StoreRefused, OSError: something cannot be removed; it is gone the next time.
    """

    async def ignore(_: Event) -> None:
        """Nobody watches."""

    event = RunPrunedEvent(by=by, policy=policy, removed=kept(state_dir, run), bodies=bodies)
    journal = await Journal.read(bus, run, ignore)
    assert journal.ended, "what goes on needs what it has"
    await journal.add(event)
    for place in _places(state_dir, run):
        shutil.rmtree(place)
    for body in bodies:
        await give_up(operator, body)
    return event


def _places(state_dir: Path, run: str) -> list[Path]:
    places = [state_dir / pattern.format(run=run) for pattern in KEPT]
    return [place for place in places if place.is_dir() and not place.is_symlink()]
