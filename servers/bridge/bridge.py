"""A server that is not Podium's, on the bus: what it defines, whether that was approved, and what of it changes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mcp import MCPError
from mcp.client import Transport
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

from bus.bus import Bus
from bus.errors import BusError
from bus.mcp_sdk import PeerGone, classified
from bus.serving import Answer, Incoming
from bus.subjects import changed
from bus.wire import JsonObject, as_object, error_response, notification, response
from contracts.manifest import Manifest, Scope, ToolSpec, tools_digest
from servers.approval import Approval
from servers.bridge.alive import Alive
from servers.bridge.definitions import manifest_of, tool_list, tool_spec
from servers.bridge.link import Link
from servers.bridge.mailbox import Mailbox
from servers.bridge.relay import Relay
from servers.bridge.subscribed import Subscribed

log = logging.getLogger(__name__)

_MOST_CHANGES = 1000
"""Changes that wait to be published; more are dropped."""
_TOOLS_CHANGED = "notifications/tools/list_changed"

OnDefined = Callable[[Manifest, tuple[ToolSpec, ...]], Awaitable[None]]
"""Hears what the server is and has now."""


class Bridge:
    """One server; `run` keeps it connected, `answer` answers what the bus asks of it."""

    def __init__(
        self,
        bus: Bus,
        transport: Callable[[], Transport],
        approval: Approval,
        scopes: tuple[Scope, ...],
        deadline_s: float,
        last_words: Callable[[], str],
    ) -> None:
        self._bus = bus
        self._approval = approval
        self._scopes = scopes
        self._subscribed = Subscribed()
        self._alive = Alive(transport, self._changed, self._up, last_words)
        self._tools: dict[str, ToolSpec] = {}
        self._listed: JsonObject | None = None
        self._digest = ""
        self._changes = Mailbox[tuple[str, JsonObject]]()
        self.manifest: Manifest
        self.tools: tuple[ToolSpec, ...] = ()
        self.on_defined: OnDefined | None = None
        self.run = self._alive.run
        self.answer: Answer = approval.guarding(self._answer)
        self._relay = Relay(self._alive, self._tools.get, self._subscribed, deadline_s)

    async def _answer(self, incoming: Incoming) -> bytes:
        """Tools are listed as they were when they were compared with what was approved, whatever it lists later."""
        message = incoming.message
        if message.get("method") != "tools/list":
            return await self._relay(incoming)
        if isinstance(wrong := classified(message), bytes):
            return wrong
        if self._listed is None:
            return error_response(message.get("id"), METHOD_NOT_FOUND, "the server has no tools")
        if as_object(message.get("params")).get("cursor") is not None:
            return error_response(message.get("id"), INVALID_PARAMS, "there is no such cursor: the list has one page")
        return response(message.get("id"), self._listed)

    async def _up(self, link: Link) -> None:
        """A connection was made: what is there now may not be what was there before."""
        before = self._digest
        await self._define(link)
        link.beside(lambda: self._subscribed.keep(link))
        link.beside(lambda: self._publish(link))
        if before and before != self._digest:
            self._changed(_TOOLS_CHANGED, {})

    async def _define(self, link: Link) -> None:
        """Learn what the server has now; from here on calls are answered by that."""
        listed = await tool_list(link)
        specs = tuple(tool_spec(as_object(definition)) for definition in (listed or {}).get("tools", []))
        self._approval.look(specs)
        self._listed = listed
        self._tools.clear()
        self._tools |= {spec.name: spec for spec in specs}
        self._digest, self.tools = tools_digest(specs), specs
        self.manifest = manifest_of(self._bus.identity, link.welcome, self._scopes)
        if self.on_defined is not None:
            await self.on_defined(self.manifest, specs)

    def _changed(self, method: str, params: JsonObject) -> None:
        if len(self._changes) < _MOST_CHANGES:
            self._changes.put((method, params))

    async def _publish(self, link: Link) -> None:
        """Pass on what changes, in order; whoever hears of other tools finds them."""
        while True:
            method, params = await self._changes.take()
            meta = {key: value for key, value in as_object(params.get("_meta")).items() if "subscriptionId" not in key}
            told = {**params, "_meta": meta} if meta else {key: params[key] for key in params if key != "_meta"}
            try:
                if method == _TOOLS_CHANGED:
                    await self._define(link)
                await self._bus.publish(changed(self._bus.identity), notification(method, told))
            except (MCPError, PeerGone, BusError) as wrong:
                log.warning("%s is not passed on: %s", method, wrong)
