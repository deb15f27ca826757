"""Who wrote a stored message. What nobody entitled sealed is as if it were not there.

The broker does not check a publish's reply subject against its permissions, so a member of the crew can have
bytes stored where it must not write; the seal is what it cannot have.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from bus.bus import Bus, Headers, Stored
from bus.claims import claim_of
from bus.errors import InvalidMessage
from bus.grants import is_host
from bus.roster import LiveRoster
from contracts.base import Sha256, sha256
from contracts.gate import Via
from contracts.ledger import RUNS_STREAM
from contracts.run import Event, RunPrunedEvent

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
        return await self.sealed(kept.subject, sha256(kept.body), kept.headers, kept.stored_at)

    async def sealed(self, subject: str, digest: Sha256, headers: Headers, stored_at: datetime) -> str:
        """As `sealed_by`, for a body of which only the sha256 is at hand."""
        try:
            return await self._roster.opened_by_digest(subject, digest, headers, stored_at)
        except InvalidMessage:
            return ""

    async def vouched_by(self, kept: Stored) -> str:
        """As `sealed_by`, also of a message of whose body there is no more than the digest that it names."""
        return await self.sealed(kept.subject, said_digest(kept), kept.headers, kept.stored_at)


def said_digest(kept: Stored) -> Sha256:
    """Of a message's body, also where that is not here."""
    try:
        claim = claim_of(kept)
    except InvalidMessage:
        claim = None
    return claim.sha256 if claim else sha256(kept.body)


async def bodies_given_up(bus: Bus, run: str = "*") -> dict[str, str]:
    """Of which messages the body was removed on purpose, by their subjects: the run that they belong to."""
    found: dict[str, str] = {}
    async for _, event in events(bus, Seals(bus), run, what="pruned"):
        if event is not None and isinstance(event.what, RunPrunedEvent):
            found |= dict.fromkeys((body.subject for body in event.what.bodies), event.run)
    return found


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
