"""The registry: who is here, with what tools. A key that lives only as long as its heartbeat.

Servers also answer NATS service discovery (ADR-32, `$SRV.PING|INFO|STATS`), so `nats micro ls` lists
them.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

import anyio
from pydantic import ValidationError

from bus.background import background
from bus.bus import Bus, Message
from bus.errors import BusError, InvalidMessage
from bus.roster import LiveRoster
from contracts.ledger import AGENTS_BUCKET
from contracts.manifest import Card

TTL_S = 3
"""A server that fell silent is gone from the registry after this many seconds, and what a change of leaders takes."""

HEARTBEAT_S = 1.0


async def cards(bus: Bus) -> tuple[Card, ...]:
    """Who is alive now, by name and instance; entries of another version of Podium are left out.

    A card counts where the server whose name it bears has sealed it, for the place where it stands.

    Raises:
        BusUnavailable: the registry does not answer.
    """
    roster, found = LiveRoster(bus), list[Card]()
    for key, kept in (await bus.entries(AGENTS_BUCKET)).items():
        with suppress(InvalidMessage, ValidationError):
            card = Card.model_validate_json(kept.body)
            by = await roster.opened(kept.subject, kept.body, kept.headers, kept.stored_at)
            if key == _key(card) and by == card.manifest.name:
                found.append(card)
    return tuple(sorted(found, key=lambda card: (card.manifest.name, card.instance)))


def _key(card: Card) -> str:
    return f"{card.manifest.name}.{card.instance}"


async def last_heard(bus: Bus) -> datetime | None:
    """When the broker last took a heartbeat, by its own clock, which that of this machine should agree with.

    Raises:
        BusUnavailable: the registry does not answer.
    """
    return max([kept.stored_at async for kept in bus.history(f"KV_{AGENTS_BUCKET}")], default=None)


async def last_beat(bus: Bus, server: str) -> int:
    """A number that grows with each heartbeat of `server` that the broker takes.

    Raises:
        BusUnavailable: the registry does not answer.
    """
    stream, subject = f"KV_{AGENTS_BUCKET}", f"$KV.{AGENTS_BUCKET}.{server}.>"
    return max([kept.seq async for kept in bus.history(stream, subject)], default=0)


async def forget_all(bus: Bus) -> None:
    """Have nobody be announced: for whoever knows that all who were are gone.

    Older versions left a mark for everybody who ever left, and of more than a thousand no registry can be read: these
    are put down anew, and vanish.

    Raises:
        BusUnavailable: the registry does not answer.
    """
    prefix = f"$KV.{AGENTS_BUCKET}."
    async for kept in bus.history(f"KV_{AGENTS_BUCKET}"):
        if kept.body or "Nats-TTL" not in kept.headers:
            await bus.delete(AGENTS_BUCKET, kept.subject.removeprefix(prefix))


class Announcement:
    """A server's entry in the registry, for as long as it is kept."""

    def __init__(self, bus: Bus, card: Card) -> None:
        self._bus = bus
        self.card = card
        self.key = _key(card)

    async def put(self, card: Card) -> None:
        """Show `card` from now on; it is of the same server and instance.

        Raises:
            BusUnavailable: the registry does not answer; the next heartbeat tries again.
        """
        self.card = card
        ttl_s = TTL_S + math.ceil(self._bus.pause_s)
        await self._bus.put(AGENTS_BUCKET, self.key, card.canonical(), ttl_s=ttl_s)

    async def beat(self) -> None:
        """Keep it alive, until cancelled."""
        while True:
            await anyio.sleep(HEARTBEAT_S)
            with suppress(BusError):  # the broker is away; the next beat tries again
                await self.put(self.card)


@asynccontextmanager
async def announced(bus: Bus, card: Card, *, calls_answered: Callable[[], int]) -> AsyncGenerator[Announcement]:
    """Keep `card` in the registry and answer service discovery for as long as the block runs."""
    entry = Announcement(bus, card)
    async with AsyncExitStack() as opened:
        for verb in ("PING", "INFO", "STATS"):

            async def on_request(message: Message, verb: str = verb) -> None:
                if message.reply:
                    await bus.publish(message.reply, _discovery(entry.card, verb, calls_answered()))

            for of in ("", f".{card.manifest.name}", f".{card.manifest.name}.{card.instance}"):
                await opened.enter_async_context(bus.listen(f"$SRV.{verb}{of}", on_request))
        await entry.put(card)
        await opened.enter_async_context(background(entry.beat))
        try:
            yield entry
        finally:
            with anyio.move_on_after(1, shield=True):
                await bus.delete(AGENTS_BUCKET, entry.key)


def _discovery(card: Card, verb: str, calls_answered: int) -> bytes:
    """What a service answers to `verb`; the forms are ADR-32's."""
    name = card.manifest.name
    about: dict[str, object] = {
        "type": f"io.nats.micro.v1.{verb.lower()}_response",
        "name": name,
        "id": card.instance,
        "version": card.manifest.version,
        "metadata": {
            "protocol": "mcp",
            "tools": ",".join(spec.name for spec in card.tools),
            "tools_sha256": card.tools_sha256,
            "scopes": ",".join(card.granted_scopes),
        },
    }
    endpoint = {"name": "tools-call", "subject": f"call.{name}.>", "queue_group": name}
    if verb == "INFO":
        about |= {"description": card.manifest.description, "endpoints": [endpoint]}
    elif verb == "STATS":
        stats = {"num_requests": calls_answered, "num_errors": 0, "processing_time": 0}
        about |= {"started": card.started_at.isoformat(), "endpoints": [endpoint | stats]}
    return json.dumps(about).encode()
