"""What is kept of ended runs beside the ledger, and its removal by policy.

The ledger itself is never thinned (docs/decisions/0014): that something was removed is one more event in it, with the
digests of what was there, so that it is told apart from what was lost.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bus.bus import Bus
from contracts.run import Event, Pruned, RunPrunedEvent
from contracts.state import RunState
from orchestrator.journal import Journal

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


async def prune(bus: Bus, state_dir: Path, run: str, *, by: str, policy: str) -> RunPrunedEvent:
    """Note what is about to be removed of an ended run, then remove it; done again, it removes what is left.

    Raises:
        TakenOver: somebody else noted something at the same time; nothing was removed.
        OSError: something cannot be removed; it is gone the next time.
    """

    async def ignore(_: Event) -> None:
        """Nobody watches."""

    event = RunPrunedEvent(by=by, policy=policy, removed=kept(state_dir, run))
    journal = await Journal.read(bus, run, ignore)
    assert journal.ended, "what goes on needs what it has"
    await journal.add(event)
    for place in _places(state_dir, run):
        shutil.rmtree(place)
    return event


def _places(state_dir: Path, run: str) -> list[Path]:
    places = [state_dir / pattern.format(run=run) for pattern in KEPT]
    return [place for place in places if place.is_dir() and not place.is_symlink()]
