"""Which deliveries may not be the first, whatever the broker says of them.

A broker that is killed forgets what it had not yet written of a consumer: what it has delivered, and how often. It then
delivers again, as if for the first time, what was stored before it was killed. So a message counts as new only if it is
newer than all that this connection has been given, and than all that was stored when the connection was made.
"""

from __future__ import annotations

import logging
import math

import anyio

from bus.errors import BusError, BusUnavailable
from bus.nats_link import Link
from bus.nats_messages import IMPOSSIBLE, WRONG_LAST_SEQUENCE, last_of
from bus.nats_posting import Posting

log = logging.getLogger(__name__)

_AGAIN_S = 1.0


class Repeats:
    """Of one stream's deliveries on one link; `watch` it beside whatever takes them."""

    def __init__(self, link: Link, posting: Posting, subject: str) -> None:
        self._link = link
        self._posting = posting
        self._subject = subject
        """Any subject of the stream that this identity may write to."""
        self._newest = 0
        self._until = 0
        self._known_of = -1
        """The connection, by its number, of which `_until` is the last sequence number at its beginning."""

    def repeated(self, seq: int, attempt: int) -> bool:
        """Whether the message `seq`, delivered now, may have been delivered before."""
        known = max(self._newest, self._until) if self._known_of == self._link.connection else math.inf
        self._newest = max(self._newest, seq)
        return attempt > 1 or seq <= known

    async def learn(self) -> None:
        """Learn how far the stream is on the connection that there is; until then, every delivery may be repeated.

        Raises:
            BusError: the broker does not say it.
        """
        connection = self._link.connection
        self._until, self._known_of = await self._last_stored(), connection

    async def watch(self) -> None:
        """Learn it of each connection anew, until cancelled."""
        while True:
            broken = self._link.broken
            try:
                if self._known_of != self._link.connection:
                    await self.learn()
            except BusError as wrong:
                log.warning("every delivery may be a repeated one: %s", wrong)
                await anyio.sleep(_AGAIN_S)
            else:
                await broken.wait()

    async def _last_stored(self) -> int:
        """The stream's last sequence number: in a refusal, since members may not ask for it."""
        headers = {"Nats-Expected-Last-Sequence": str(IMPOSSIBLE)}
        error = (await self._posting.post(self._subject, b"", headers)).answer["error"]
        if error.get("err_code") != WRONG_LAST_SEQUENCE:
            raise BusUnavailable(f"nobody can say how far the stream of {self._subject} is: {error}")
        return last_of(error)
