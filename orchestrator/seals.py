"""Who wrote a stored message. What nobody entitled sealed is as if it were not there.

The broker does not check a publish's reply subject against its permissions, so a member of the crew can have
bytes stored where it must not write; the seal is what it cannot have.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from bus.bus import Bus, Stored
from bus.errors import InvalidMessage
from bus.grants import is_host
from bus.roster import LiveRoster
from contracts.gate import Via
from contracts.ledger import RUNS_STREAM
from contracts.run import Event

ORCHESTRATOR = "orchestrator"
PERSON = "person"


def may_decide(identity: str, via: Via) -> bool:
    """Whether a gate decision that `identity` sealed counts; only the orchestrator's run events do.

    The broker lets no other identity write one, and a host only where its gateway asked for that when it joined.
    """
    match via:
        case "policy":
            return identity == ORCHESTRATOR
        case "host":
            return is_host(identity)
        case "terminal" | "command" | "web":
            return identity in (ORCHESTRATOR, PERSON)


class Seals:
    """Checks seals against the roster."""

    def __init__(self, bus: Bus) -> None:
        self._roster = LiveRoster(bus)

    async def sealed_by(self, kept: Stored) -> str:
        """The identity that sealed `kept`; "" if nobody on the roster did."""
        try:
            return await self._roster.opened(kept.subject, kept.body, kept.headers, kept.stored_at)
        except InvalidMessage:
            return ""


async def events(
    bus: Bus, seals: Seals, run: str = "*", *, what: str = ">", after: int = 0
) -> AsyncIterator[tuple[int, Event | None]]:
    """What is stored of `run` (all runs: `*`), oldest first: sequence number and event, None for a foreign message.

    `what` is the one kind of event that is wanted, as its subject names it.
    """
    async for kept in bus.history(RUNS_STREAM, f"run.{run}.{what}", after=after):
        ours = await seals.sealed_by(kept) == ORCHESTRATOR
        event = Event.model_validate_json(kept.body) if ours else None
        fits = event is not None and kept.subject == f"run.{event.run}.{event.what.event}"
        yield kept.seq, event if fits else None
