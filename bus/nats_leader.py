"""Who leads a stream, in a cluster: whose word counts, and whether it can be heard from here.

Any replica answers a DIRECT.GET, also one that has not yet heard of what the others have acknowledged. So a reader
first asks the stream's leader how far it is, and then any replica until that one is as far. A single broker is its
own leader, and nobody is asked.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
from nats.errors import Error as NatsError

from bus.errors import BusUnavailable, StoreRefused
from bus.nats_link import Link
from bus.nats_posting import Posting
from bus.provision import NOT_NOW
from contracts.ledger import ROSTER_BUCKET

log = logging.getLogger(__name__)

_AGAIN_S = 0.05
_PATIENCE_S = 30.0
_ATTEMPT_S = 1.0
_NO_MESSAGE = 10037
_LOOK_S = 2.0
_DEAF_S = 8.0
"""Without a word from a leader for so long, the broker at the other end is taken to be cut off from its peers."""
_STUCK_S = 5.0
"""The same, when somebody waits for a leader's word."""


class Lag:
    """Waits between questions to a stream whose leader is away, or whose replicas are behind it."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.since = anyio.current_time()

    async def wait(self) -> None:
        """Wait a moment.

        Raises:
            BusUnavailable: it has been half a minute.
        """
        if anyio.current_time() > self.since + _PATIENCE_S:
            raise BusUnavailable(f"nobody leads {self._stream}, or no replica of it catches up")
        await anyio.sleep(_AGAIN_S)


class Leader:
    """Asks the leaders of streams, over one link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asked: set[Lag] = set()

    async def newest(self, stream: str, subject: str) -> int:
        """Sequence number of the newest message that matches `subject`; 0 where none does, or one broker is all.

        Raises:
            StoreRefused: this identity may not read the whole stream.
            BusUnavailable: nobody leads it for half a minute, or there is no such stream.
        """
        if not self._link.clustered:
            return 0
        lag = Lag(stream)
        self._asked.add(lag)
        try:
            while True:
                said = await self._ask(stream, subject)
                error = said.get("error")
                if error is None:
                    return int(said["message"]["seq"])
                if error.get("err_code") == _NO_MESSAGE:
                    return 0
                if error.get("err_code") not in NOT_NOW:
                    raise BusUnavailable(f"{stream} cannot be read: {error.get('description')}")
                await lag.wait()
        finally:
            self._asked.discard(lag)

    async def _ask(self, stream: str, subject: str) -> dict[str, Any]:
        """The leader's answer; an error of `NOT_NOW` where there is none."""
        wanted = json.dumps({"last_by_subj": subject}).encode()
        try:
            answer = await self._link.request(f"$JS.API.STREAM.MSG.GET.{stream}", wanted, timeout_s=_ATTEMPT_S)
        except (TimeoutError, NatsError, ConnectionError) as wrong:
            if self._link.closed.is_set():
                raise BusUnavailable(f"the connection is closed: {wrong!r}") from wrong
            return {"error": {"err_code": min(NOT_NOW)}}
        said: dict[str, Any] = json.loads(answer.data)
        return said

    async def watch(self, posting: Posting) -> None:
        """Move to another broker when no leader is heard through this one, or none says what somebody waits for.

        A broker that is cut off from its peers keeps its clients, answers their pings, and knows nothing new; if it led
        before, it takes itself for the leader for a while yet, and what it is given stays undecided.

        Runs until cancelled.
        """
        heard_at = moved_at = anyio.current_time()
        while True:
            await anyio.sleep(_LOOK_S)
            if not self._link.clustered or not self._link.client.is_connected:
                heard_at = moved_at = anyio.current_time()
                continue
            try:
                said = await self._ask(f"KV_{ROSTER_BUCKET}", f"$KV.{ROSTER_BUCKET}.>")
            except StoreRefused as wrong:
                log.warning("the broker's configuration is of another version; print it anew: %s", wrong)
                return
            except BusUnavailable:
                return
            now = anyio.current_time()
            if said.get("error", {}).get("err_code") not in NOT_NOW:
                heard_at = now
            asked_s = now - min((lag.since for lag in self._asked), default=now)
            waiting_s = min(max(posting.silence_s, asked_s), now - moved_at)
            if now - heard_at > _DEAF_S or waiting_s > _STUCK_S:
                log.warning("no leader is heard through the broker on %s; trying another", self._link.peer)
                await self._link.client.force_reconnect()
                heard_at = moved_at = anyio.current_time()
