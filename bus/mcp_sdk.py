"""Every provisional name of the MCP SDK that Podium uses, in one file.

The SDK marks its serving kernel and middleware as provisional within 2.x; when it moves, this file does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
from mcp.server.connection import Connection, NotifyOnlyOutbound
from mcp.server.lowlevel.server import Server
from mcp.server.runner import modern_error_data, serve_one
from mcp.server.session import ServerSession
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import InboundLadderRejection, classify_inbound_request
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext

from bus.serving import Incoming
from bus.wire import INVALID_REQUEST, JsonObject, as_object, error_response, response

log = logging.getLogger(__name__)

_TRANSPORT = TransportContext(kind="nats", can_send_request=False)


def connection_state(session: ServerSession) -> dict[str, Any]:
    """What a handler may keep for as long as its client's connection lasts."""
    return session._connection.state  # pyright: ignore[reportPrivateUsage] - the session has no public way to it


@dataclass
class _Dispatch:
    """The SDK's per-request context: notifications go out, requests to the client do not exist."""

    incoming: Incoming
    message_metadata: ServerMessageMetadata
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    transport: TransportContext = _TRANSPORT
    can_send_request: bool = False

    @property
    def request_id(self) -> str | int | None:
        return self.incoming.message.get("id")

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        if self.incoming.notify is not None:
            await self.incoming.notify(method, dict(params or {}))

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        token = as_object(as_object(self.incoming.message.get("params")).get("_meta")).get("progressToken")
        if token is not None:
            told: JsonObject = {"progressToken": token, "progress": progress, "total": total, "message": message}
            await self.notify("notifications/progress", {k: v for k, v in told.items() if v is not None})


class SdkAnswer:
    """Answers requests with an SDK `Server`; the `Incoming` is its handlers' `ctx.request`."""

    def __init__(self, server: Server[Any], lifespan_state: object) -> None:
        self._server = server
        self._state = lifespan_state

    async def __call__(self, incoming: Incoming) -> bytes:
        """See `bus.serving.Answer`. Specification 2026-07-28, basic: requests carry their own envelope."""
        message = incoming.message
        request_id, method = message.get("id"), message.get("method")
        if request_id is None or not isinstance(method, str):
            return error_response(request_id, INVALID_REQUEST, "expected a JSON-RPC request with id and method")
        params = cast(dict[str, Any] | None, message.get("params"))
        route = classify_inbound_request({"method": method, "params": params})
        if isinstance(route, InboundLadderRejection):
            return error_response(request_id, route.code, route.message, route.data)
        dispatch = _Dispatch(incoming, ServerMessageMetadata(request_context=incoming, can_send_request=False))
        connection = Connection.from_envelope(
            route.protocol_version,
            route.client_info,
            route.client_capabilities,
            outbound=NotifyOnlyOutbound(dispatch),
        )
        try:
            result = await serve_one(
                self._server, dispatch, method, params, connection=connection, lifespan_state=self._state
            )
        except Exception as wrong:
            error = modern_error_data(wrong)
            return error_response(request_id, error.code, error.message, error.data)
        return response(request_id, result)
