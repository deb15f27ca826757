"""One connection to a server: requests on their way to it, and whose it is what it sends by itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import count

import anyio
import anyio.abc
from mcp import MCPError
from mcp.client import Transport
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    INVALID_REQUEST,
    LOG_LEVEL_META_KEY,
    METHOD_NOT_FOUND,
)

from bus.mcp_sdk import Peer, PeerGone, http_headers
from bus.wire import CLOSE_STREAM, JsonObject, as_object
from servers.bridge.flight import LEVELS, Asker, Flight, Question, Told
from servers.bridge.manners import Welcome
from servers.bridge.meeting import handshake_headers, meet

log = logging.getLogger(__name__)

OnChange = Callable[[str, JsonObject], None]
"""Hears that the server's tools, prompts or resources changed: the notification's method and parameters."""

_CHANGES = {
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
}
_OF_ONE_REQUEST = {"notifications/progress", CLOSE_STREAM}
"""They name it by its progress token."""
_QUESTIONS = {"elicitation/create", "sampling/createMessage", "roots/list"}


class Link:
    """Made with `linked`."""

    def __init__(self, on_change: OnChange, tasks: anyio.abc.TaskGroup) -> None:
        self._on_change = on_change
        self._tasks = tasks
        self._flights: list[Flight] = []
        self._numbers = count(1)
        self._level = ""
        self.over = anyio.Event()
        """Set when the server has hung up."""
        self.peer: Peer
        self.welcome: Welcome

    def beside(self, task: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run something for as long as the connection lasts at most."""
        self._tasks.start_soon(task)

    async def request(self, method: str, params: JsonObject, schema: JsonObject | None = None) -> JsonObject:
        """Ask on the bridge's own behalf; the result as the server gave it.

        Raises:
            MCPError: its error.
            PeerGone: the connection is over.
        """
        return await self.peer.request(method, params, headers=self._headers(method, params, schema))

    async def start(self, asker: Asker, method: str, params: JsonObject, schema: JsonObject | None) -> Flight:
        """Send a caller's request. Its `Flight` ends with a `Done` whatever happens."""
        meta = as_object(params.get("_meta"))
        level = meta.get(LOG_LEVEL_META_KEY)
        flight = Flight(
            asker,
            f"flight-{next(self._numbers)}",
            as_object(meta.get(CLIENT_CAPABILITIES_META_KEY)),
            level if isinstance(level, str) else "",
        )
        await self._listen_down_to(flight)
        asked = self.welcome.outward(params, flight.token)
        self._flights.append(flight)
        self._tasks.start_soon(self._fly, flight, method, asked, self._headers(method, asked, schema))
        return flight

    async def _fly(self, flight: Flight, method: str, params: JsonObject, headers: dict[str, str]) -> None:
        outcome: JsonObject | Exception = PeerGone()
        try:
            with flight.scope:
                outcome = await self.peer.request(method, params, headers=headers)
        except MCPError as wrong:
            outcome = wrong
        except PeerGone as gone:
            outcome = gone
            if gone.for_good:
                self.over.set()
        finally:
            self._flights.remove(flight)
            flight.land(outcome)

    def _headers(self, method: str, params: JsonObject, schema: JsonObject | None) -> dict[str, str]:
        version = self.welcome.version
        return http_headers(version, method, params, schema) if self.welcome.modern else handshake_headers(version)

    async def _listen_down_to(self, flight: Flight) -> None:
        """Have a server of the handshake era log what this caller wants to hear; it has one level for everybody."""
        if self.welcome.modern or "logging" not in self.welcome.capabilities:
            return
        wanted = next((level for level in LEVELS if flight.wants(level)), "")
        if wanted and (not self._level or LEVELS.index(wanted) < LEVELS.index(self._level)):
            self._level = wanted
            try:
                await self.request("logging/setLevel", {"level": wanted})
            except MCPError as wrong:
                log.warning("it does not log as %s: %s", wanted, wrong)

    def _whose(self, fits: Callable[[Flight], bool]) -> Flight | None:
        """The newest request that fits, where all that are under way are one caller's.

        A message that names no request is nobody's as long as it could be two callers': one would hear, or be asked,
        what is the other's.
        """
        if len({flight.asker for flight in self._flights}) != 1:
            return None
        return next((flight for flight in reversed(self._flights) if fits(flight)), None)

    def heard(self, method: str, params: JsonObject) -> None:
        """The server has sent a notification."""
        told = Told(method, params)
        if method in _CHANGES:
            self._on_change(method, params)
        elif method in _OF_ONE_REQUEST:
            token = params.get("progressToken")
            for flight in self._flights:
                if flight.token == token:
                    flight.tell(told)
        elif method in ("notifications/message", "notifications/elicitation/complete"):
            logged = method == "notifications/message"
            flight = self._whose(lambda one: not logged or one.wants(params.get("level")))
            if flight is not None:
                flight.tell(told)

    async def asked(self, method: str, params: JsonObject) -> JsonObject:
        """The server has sent a request.

        Raises:
            MCPError: nobody answers it.
        """
        if method == "ping":
            return {}
        if method not in _QUESTIONS or self.welcome.modern:
            raise MCPError(METHOD_NOT_FOUND, f"there is no {method} here")
        question = Question(method, params)
        flight = self._whose(lambda one: one.can_answer(question))
        if flight is None:
            raise MCPError(INVALID_REQUEST, f"no call is under way whose caller could answer {method}, or several are")
        flight.ask(question)
        return await question.answered()


@asynccontextmanager
async def linked(transport: Transport, on_change: OnChange, *, ask_first: bool) -> AsyncGenerator[Link]:
    """Connect, and find out what is at the other end; see `meet` for what that raises.

    What the transport itself meets with ends the block, in an exception group.
    """
    raised: Exception | None = None
    async with transport as streams, anyio.create_task_group() as tasks:
        link = Link(on_change, tasks)
        link.peer = Peer(streams, link.asked, link.heard)

        async def carry(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            try:
                await link.peer.run(task_status=task_status)
            finally:
                link.over.set()

        try:
            await tasks.start(carry)
            link.welcome = await meet(link.peer, ask_first=ask_first)
            yield link
        except Exception as wrong:
            raised = wrong
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
