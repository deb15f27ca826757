"""Keeps a connection to a server: made again when it is over, more slowly each time it is over soon."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.abc
from mcp.client import Transport

from bus.background import cause
from servers.bridge.link import Link, OnChange, linked
from servers.bridge.meeting import NotAsked
from servers.crew_member import CrewError
from servers.housekeeping import Backoff

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""How long a request waits for a server that is being started again."""


class Unreachable(Exception):
    """There is no connection now; nothing was sent."""


class Alive:
    """One server, connected to for as long as `run` runs."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        on_change: OnChange,
        on_up: Callable[[Link], Awaitable[None]],
        last_words: Callable[[], str],
    ) -> None:
        self._transport = transport
        self._on_change = on_change
        self._on_up = on_up
        self._last_words = last_words
        self._ask_first = True
        self._link: Link | None = None
        self._up = anyio.Event()

    async def link(self) -> Link:
        """The connection, once there is one.

        Raises:
            Unreachable: there is none in time.
        """
        with anyio.move_on_after(PATIENCE_S):
            while self._link is None:
                await self._up.wait()
            return self._link
        raise Unreachable("the server is not running, and does not start again")

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Connect, and connect again; `task_status` is started with the first connection.

        Raises:
            CrewError: the first one cannot be made.
        """
        backoff, started = Backoff(), False
        while True:
            try:
                async with linked(self._transport(), self._on_change, ask_first=self._ask_first) as link:
                    await self._on_up(link)
                    self._link = link
                    self._up.set()
                    if not started:
                        task_status.started()
                        started = True
                    await link.over.wait()
                    self._down()  # before it is put away, which takes its time
                why = "it ended"
            except NotAsked:
                self._ask_first = False
                continue
            except Exception as wrong:
                why = str(cause(wrong)) or repr(cause(wrong))
            finally:
                self._down()
            if not started:
                said = self._last_words()
                raise CrewError(f"the server cannot be used: {why}" + (f"; it said: {said}" if said else ""))
            delay = backoff.delay("")
            log.warning("the connection to the server is over (%s); again in %.1f s", why, delay)
            await anyio.sleep(delay)

    def _down(self) -> None:
        self._link = None
        if self._up.is_set():
            self._up = anyio.Event()
