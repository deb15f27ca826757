"""A host's requests on their way to the crew: tool calls stored first, everything else asked and answered."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from mcp import MCPError
from mcp.shared.subscriptions import ServerEvent, event_from_wire
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, INVALID_PARAMS, PROTOCOL_VERSION_META_KEY

from bus.bus import Bus, Message
from bus.caller import Caller, new_call_id
from bus.errors import BusError, InvalidMessage
from bus.subjects import MAX_NAME_CHARS, CallSubject, changed, refused, rpc
from bus.wire import PROTOCOL_VERSION, JsonObject, as_object, parse

log = logging.getLogger(__name__)

INTERNAL_ERROR = -32603
_REQUEST_S = 30.0

ENVELOPE: JsonObject = {
    PROTOCOL_VERSION_META_KEY: PROTOCOL_VERSION,
    CLIENT_INFO_META_KEY: {"name": "podium", "version": "0.1.0"},
    CLIENT_CAPABILITIES_META_KEY: {},
}
"""`_meta` of what the gateway asks for itself."""

OnNotification = Callable[[JsonObject], Awaitable[None]]
"""Receives the notifications that belong to a call."""


class Upstream:
    """The crew, as one host's identity reaches it. JSON objects in and out, as they are on the wire."""

    def __init__(self, bus: Bus, caller: Caller) -> None:
        self._bus = bus
        self._caller = caller

    async def request(self, server: str, method: str, params: JsonObject) -> JsonObject:
        """Ask a server something that acts on nothing; the result.

        Raises:
            MCPError: its error, or that it did not answer.
        """
        body = _request("host", method, params)
        try:
            answer = await self._bus.request(rpc(server, method, self._bus.identity), body, timeout_s=_REQUEST_S)
            return _result(parse(server, answer.body))
        except BusError as wrong:
            raise _unreachable(server, wrong) from wrong

    async def tools(self, server: str) -> list[JsonObject]:
        """The definitions of all of a server's tools that it lists.

        Raises:
            MCPError: see `request`.
        """
        found: list[JsonObject] = []
        cursor: JsonObject = {}
        while True:
            page = await self.request(server, "tools/list", {**cursor, "_meta": ENVELOPE})
            found += [as_object(tool) for tool in page.get("tools", [])]
            if not page.get("nextCursor"):
                return found
            cursor = {"cursor": page["nextCursor"]}

    async def call(self, server: str, params: JsonObject, on_notification: OnNotification) -> JsonObject:
        """Call a tool: stored, delivered, its answer stored. Cancelled, it is cancelled there, too.

        Raises:
            MCPError: the server's error, or that the call could not be made.
        """
        tool = str(params.get("name") or "?")
        if len(tool) > MAX_NAME_CHARS:
            await self.refuse(server, params)
            raise MCPError(INVALID_PARAMS, f"a tool's name has at most {MAX_NAME_CHARS} characters")
        subject = CallSubject(server, tool, self._bus.identity, new_call_id())
        meta = {**as_object(params.get("_meta")), "progressToken": subject.call_id}
        body = _request(subject.call_id, "tools/call", {**params, "_meta": meta})

        async def heard(notification: bytes) -> None:
            await on_notification(parse(subject.progress, notification))

        try:
            answer = await self._caller.exchange(subject, body, on_notification=heard, for_client=True)
            return _result(parse(str(subject), answer))
        except BusError as wrong:
            raise _unreachable(server, wrong) from wrong

    @asynccontextmanager
    async def changes(self, server: str, on_change: Callable[[ServerEvent], Awaitable[None]]) -> AsyncGenerator[None]:
        """Hear what changes at a server for as long as the block runs, as far as it says so."""

        async def heard(message: Message) -> None:
            try:
                told = parse(message.subject, message.body)
            except InvalidMessage as wrong:
                log.warning("not understood: %s", wrong)
                return
            event = event_from_wire(str(told.get("method")), as_object(told.get("params")))
            if event is not None:
                await on_change(event)

        async with self._bus.listen(changed(server), heard):
            yield

    async def refuse(self, server: str, params: JsonObject) -> None:
        """Put on the record that the host asked for a tool it was not granted."""
        subject = refused(self._bus.identity, server or "?", str(params.get("name") or "?"), new_call_id())
        await self._bus.store(subject, _request(subject.rpartition(".")[2], "tools/call", params))


def _request(request_id: str, method: str, params: JsonObject) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _result(message: JsonObject) -> JsonObject:
    if "error" in message:
        error = as_object(message["error"])
        raise MCPError(int(error.get("code") or INTERNAL_ERROR), str(error.get("message")), error.get("data"))
    return as_object(message.get("result"))


def _unreachable(server: str, wrong: BusError) -> MCPError:
    return MCPError(INTERNAL_ERROR, f"{server} could not be asked: {wrong}", {"retry": wrong.retry})
