"""What became of earlier executions of a call: what tells one that kills its servers from one that was handed back.

The broker counts deliveries, and many of them are nobody's death: a server that leaves hands back what it is at, and
one whose connection broke gets again what it is working on. So whoever takes a call that may have been delivered before
notes in the ledger that it begins, and whoever hands one back notes that. A call that is answered by the first who gets
it costs no note.
"""

from __future__ import annotations

from typing import Final

import anyio
from pydantic import Field, ValidationError

from bus.bus import Bus, Expect, Message, Stored
from bus.crash import crash_point
from bus.errors import AlreadyStored, InvalidMessage, Overtaken
from bus.roster import LiveRoster
from bus.subjects import CallSubject
from contracts.base import Model
from contracts.ledger import server_stream

MAX_DEATHS = 4
"""So many executions of one call have ended with their server when it is given up, with an answer."""

_AGAIN_S = 0.05


class Life(Model):
    """One execution of a call, and what is known of those before it; the body of a note."""

    number: int = Field(default=1, ge=1, description="Counts executions of the call.")
    deaths: int = Field(default=0, ge=0, description="Earlier ones that ended with their server, without an answer.")
    handed_back: bool = Field(default=False, description="Whether its server left in order, and gave the call back.")

    def next(self) -> Life:
        """The execution after this one, which brought no answer."""
        return Life(number=self.number + 1, deaths=self.deaths + (not self.handed_back))

    @property
    def poisoned(self) -> bool:
        """Whether the call is to be given up instead."""
        return self.deaths >= MAX_DEATHS


FIRST: Final = Life()


class Lives:
    """Keeps the notes of one server, which are between it and itself."""

    def __init__(self, bus: Bus, roster: LiveRoster) -> None:
        self._bus = bus
        self._roster = roster

    async def begin(self, call: CallSubject, attempt: int) -> Life:
        """The execution of a repeated call that begins now, noted; `attempt` is the broker's count.

        Raises:
            StoreRefused, BusUnavailable: it cannot be noted.
        """
        while True:
            kept = await self._bus.glance(server_stream(call.server), call.begun)
            before = await self._read(kept)
            life = FIRST if before is None and attempt == 1 else (before or FIRST).next()
            if life.poisoned:
                return life
            try:
                await self._note(call, life, Expect(last=kept.seq if kept else 0))
            except (AlreadyStored, Overtaken):  # a replica that lags has been read
                await anyio.sleep(_AGAIN_S)
            else:
                return life

    async def hand_back(self, call: CallSubject, life: Life) -> None:
        """Note that this execution ends without anybody's death.

        Raises:
            StoreRefused, BusUnavailable: it cannot be noted.
        """
        await self._note(call, life.model_copy(update={"handed_back": True}))

    async def _note(self, call: CallSubject, life: Life, expect: Expect | None = None) -> None:
        crash_point("note.before_store")
        await self._bus.store(call.begun, life.model_dump_json().encode(), expect=expect)
        crash_point("note.after_store")

    async def _read(self, kept: Stored | None) -> Life | None:
        """What a note says, if this server wrote it."""
        if kept is None:
            return None
        try:
            by = await self._roster.received(Message(kept.subject, kept.body, kept.headers), kept.stored_at)
            return Life.model_validate_json(kept.body) if by == self._bus.identity else None
        except (InvalidMessage, ValidationError):
            return None
