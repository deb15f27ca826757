"""Which resources of a server somebody on the bus wants to hear of, and how the server is asked to tell.

The bus knows no subscriptions: what changes is published for everybody who was granted the server. A server of the
handshake era is asked with `resources/subscribe`, one of 2026-07-28 with `subscriptions/listen`.
"""

from __future__ import annotations

import logging
from itertools import count

import anyio
from mcp import MCPError
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

from bus.mcp_sdk import PeerGone, http_headers
from bus.wire import PROTOCOL_VERSION, JsonObject, as_object
from servers.bridge.link import Link
from servers.bridge.manners import ENVELOPE

log = logging.getLogger(__name__)

MOST = 256
"""Resources that are watched at once. For another one the oldest gives way: whoever was killed never gives one up."""
_AGAIN_S = 1.0
_LISTEN = "subscriptions/listen"


class Subscribed:
    """Kept over connections, as whoever subscribed does not know of them."""

    def __init__(self) -> None:
        self._watching: dict[str, set[str]] = {}
        self._numbers = count(1)
        self._changed = anyio.Event()

    async def change(self, link: Link, caller: str, method: str, params: JsonObject) -> JsonObject:
        """Add or remove what `caller` watches; the result.

        Raises:
            MCPError: the server's error.
            PeerGone: it hung up.
        """
        uri = params.get("uri")
        if not isinstance(uri, str):
            raise MCPError(INVALID_PARAMS, "a resource's uri is needed")
        watchers = self._watching.get(uri, set())
        after = watchers | {caller} if method == "resources/subscribe" else watchers - {caller}
        if "resources" not in link.welcome.capabilities:
            raise MCPError(METHOD_NOT_FOUND, "the server has no resources")
        if bool(after) != bool(watchers) and not link.welcome.modern:
            await link.request(method, {"uri": uri})
        self._watching.pop(uri, None)
        if after:
            if len(self._watching) >= MOST:
                await self._give_up(link, next(iter(self._watching)))
            self._watching[uri] = after
        self._changed.set()
        return {"resultType": "complete"}

    async def _give_up(self, link: Link, uri: str) -> None:
        del self._watching[uri]
        if not link.welcome.modern:
            try:
                await link.request("resources/unsubscribe", {"uri": uri})
            except MCPError as wrong:
                log.info("it goes on telling of %s: %s", uri, wrong)

    async def keep(self, link: Link) -> None:
        """Have the server tell, until its connection is over."""
        if link.welcome.modern:
            await self._listen(link)
            return
        for uri in list(self._watching):
            try:
                await link.request("resources/subscribe", {"uri": uri})
            except (MCPError, PeerGone) as wrong:
                log.warning("%s is not watched any more: %s", uri, wrong)

    async def _listen(self, link: Link) -> None:
        """One stream after another, as a new one is needed whenever what is watched changes."""
        while True:
            self._changed = changed = anyio.Event()
            async with anyio.create_task_group() as tasks:

                async def stream(scope: anyio.CancelScope = tasks.cancel_scope) -> None:
                    if await self._stream(link):
                        scope.cancel()

                tasks.start_soon(stream)
                await changed.wait()
                tasks.cancel_scope.cancel()
            if not changed.is_set():
                await anyio.sleep(_AGAIN_S)
                link.heard("notifications/tools/list_changed", {})  # nobody would have told meanwhile

    async def _stream(self, link: Link) -> bool:
        """Listen until the stream ends; whether another one may do better."""
        wanted = self._filter(link.welcome.capabilities)
        if not wanted:
            return False
        params: JsonObject = {"notifications": wanted, "_meta": ENVELOPE}
        headers = http_headers(PROTOCOL_VERSION, _LISTEN, params, None)
        try:
            await link.peer.request(_LISTEN, params, headers=headers, request_id=f"listen-{next(self._numbers)}")
        except MCPError as wrong:
            log.warning("it does not tell of changes: %s", wrong)
            return wrong.error.code != METHOD_NOT_FOUND
        except PeerGone:
            pass
        return True

    def _filter(self, capabilities: JsonObject) -> JsonObject:
        kinds = ("tools", "prompts", "resources")
        told = {f"{kind}ListChanged": True for kind in kinds if as_object(capabilities.get(kind)).get("listChanged")}
        return told | ({"resourceSubscriptions": sorted(self._watching)} if self._watching else {})
