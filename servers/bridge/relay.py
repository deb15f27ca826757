"""Answers requests of the bus with what the server says to them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
from mcp import MCPError
from mcp_types import INTERNAL_ERROR, METHOD_NOT_FOUND

from bus.mcp_sdk import PeerGone, classified
from bus.serving import Incoming
from bus.wire import JsonObject, as_object, called_tool, error_response, failure_result, response
from contracts.failure import Failure
from contracts.manifest import ToolSpec
from servers.bridge.alive import Alive, Unreachable
from servers.bridge.flight import Done, Flight, Question, Told
from servers.bridge.link import Link
from servers.bridge.parked import Parked
from servers.bridge.subscribed import Subscribed

log = logging.getLogger(__name__)


class Relay:
    """See `bus.serving.Answer`."""

    def __init__(
        self, alive: Alive, tool: Callable[[str], ToolSpec | None], subscribed: Subscribed, deadline_s: float
    ) -> None:
        self._alive = alive
        self._tool = tool
        self._subscribed = subscribed
        self._deadline_s = deadline_s
        """For each request. Where a person is asked, the answer to that is another one."""
        self._parked: tuple[Link, Parked] | None = None

    async def __call__(self, incoming: Incoming) -> bytes:
        """The server's own response, up to the deadline, or a failure that says whether to try again.

        What does no harm twice is asked a second time where the server died over it.
        """
        request_id, tool = incoming.message.get("id"), called_tool(incoming.message)
        repeatable = tool is None or self._repeatable(tool)
        if incoming.life.number > 1 and not repeatable:
            return response(request_id, failure_result(_lost("the bridge to the server ended", repeatable)))
        try:
            with anyio.move_on_after(self._deadline_s):
                try:
                    return await self._answered(incoming)
                except PeerGone:
                    if not repeatable:
                        raise
                    return await self._answered(incoming)
            lost = _late(self._deadline_s, repeatable)
        except MCPError as wrong:
            return error_response(request_id, wrong.error.code, wrong.error.message, wrong.error.data)
        except Unreachable as wrong:
            lost = Failure(kind="unavailable", message=str(wrong), retry=True)
        except PeerGone as wrong:
            lost = _lost(f"the server died ({wrong})", repeatable)
        if tool is None:
            return error_response(request_id, INTERNAL_ERROR, str(lost), {"retry": lost.retry})
        return response(request_id, failure_result(lost))

    def _repeatable(self, tool: str) -> bool:
        spec = self._tool(tool)
        return spec is not None and (spec.read_only or spec.idempotent)

    async def _answered(self, incoming: Incoming) -> bytes:
        """Raises MCPError, Unreachable, PeerGone."""
        message = incoming.message
        request_id, method, params = message.get("id"), str(message.get("method")), as_object(message.get("params"))
        link = await self._alive.link()
        if not link.welcome.modern and isinstance(wrong := classified(message), bytes):
            return wrong
        if method in ("resources/subscribe", "resources/unsubscribe"):
            return response(request_id, await self._subscribed.change(link, incoming.caller, method, params))
        if not link.welcome.takes(method):
            raise MCPError(METHOD_NOT_FOUND, f"there is no {method} on this bus")
        if method == "server/discover" and not link.welcome.modern:
            return response(request_id, link.welcome.discovered())
        asker = (incoming.caller, incoming.about.subject)
        if "requestState" in params and not link.welcome.modern:
            flight = self._waiting_at(link).take(asker, method, params)
        else:
            flight = await link.start(asker, method, params, self._schema(message))
        result = await self._attended(link, flight, incoming, method, params)
        return response(request_id, link.welcome.inward(method, result))

    def _schema(self, message: JsonObject) -> JsonObject | None:
        spec = self._tool(called_tool(message) or "")
        return spec.input_schema if spec else None

    def _waiting_at(self, link: Link) -> Parked:
        if self._parked is None or self._parked[0] is not link:
            self._parked = (link, Parked(link))
        return self._parked[1]

    async def _attended(
        self, link: Link, flight: Flight, incoming: Incoming, method: str, params: JsonObject
    ) -> JsonObject:
        try:
            while True:
                match await flight.event():
                    case Told() as told:
                        await _pass_on(told, incoming, params)
                    case Question() as question:
                        asked = self._waiting_at(link).put(flight, question, method, params)
                        if asked is not None:
                            return asked
                    case Done() as done:
                        if isinstance(done.outcome, Exception):
                            raise done.outcome
                        return done.outcome
        except anyio.get_cancelled_exc_class():
            flight.cancel()
            raise


async def _pass_on(told: Told, incoming: Incoming, params: JsonObject) -> None:
    if incoming.notify is None:
        return
    said = dict(told.params)
    if "progressToken" in said:
        said["progressToken"] = as_object(params.get("_meta")).get("progressToken")
    await incoming.notify(told.method, said)


def _late(deadline_s: float, repeatable: bool) -> Failure:
    more = "Where it needs more time, say so: deadline_s in its entry of the crew file."
    return Failure(
        kind="timeout",
        message=f"the server did not answer within {deadline_s:g} s, and was told to stop",
        retry=repeatable,
        way_out=more if repeatable else f"It may have had its effect: see whether it had. {more}",
    )


def _lost(why: str, repeatable: bool) -> Failure:
    if repeatable:
        return Failure(kind="unavailable", message=f"{why} while it worked on this call", retry=True)
    return Failure(
        kind="unavailable",
        message=f"{why} while it worked on this call, which may have had its effect",
        way_out="See whether it had before you call again.",
    )
