"""Every provisional name of the MCP SDK that Podium uses, in one file.

The SDK marks its serving kernel and middleware as provisional within 2.x; when it moves, this file does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import anyio
import anyio.abc
from mcp.client._transport import TransportStreams
from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.connection import Connection, NotifyOnlyOutbound
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.runner import modern_error_data, serve_one
from mcp.server.session import ServerSession
from mcp.server.streamable_http import EventStore, StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.dispatcher import CallOptions, DispatchContext
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    InboundLadderRejection,
    InboundModernRoute,
    classify_inbound_request,
    encode_header_value,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext

from bus.serving import Incoming
from bus.wire import CLOSE_STREAM, INVALID_REQUEST, JsonObject, as_object, error_response, response

log = logging.getLogger(__name__)

_TRANSPORT = TransportContext(kind="nats", can_send_request=False)


def connection_state(session: ServerSession) -> dict[str, Any]:
    """What a handler may keep for as long as its client's connection lasts."""
    return session._connection.state  # pyright: ignore[reportPrivateUsage] - the session has no public way to it


def at_end(session: ServerSession, then: Callable[[], Awaitable[None]]) -> None:
    """Have `then` called when the client's connection is over."""
    stack = session._connection.exit_stack  # pyright: ignore[reportPrivateUsage] - the session has no public way to it
    stack.push_async_callback(then)


def before_each(server: Server[Any], check: Callable[[ServerRequestContext[Any, Any]], Awaitable[None]]) -> None:
    """Have `check` run before any handler of a request; what it raises is the answer."""

    async def checked(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.request_id is not None:
            await check(ctx)
        return await call_next(ctx)

    server.middleware.append(checked)


class SessionManager(StreamableHTTPSessionManager):
    """Gives each session a store of events of its own.

    The SDK has all sessions share one, and names streams by request ids, which any two sessions have in common: who
    comes back to a stream would be sent what belongs to others.
    """

    def __init__(self, server: Server[Any], events: Callable[[], EventStore], **more: Any) -> None:
        super().__init__(server, **more)
        self._events = events

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        self.event_store = self._events()
        return super()._admit_session(requestor)


@dataclass
class _Dispatch:
    """The SDK's per-request context: notifications go out, requests to the client do not exist."""

    incoming: Incoming
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    transport: TransportContext = _TRANSPORT
    can_send_request: bool = False

    @property
    def request_id(self) -> str | int | None:
        return self.incoming.message.get("id")

    @property
    def message_metadata(self) -> ServerMessageMetadata:
        return ServerMessageMetadata(
            request_context=self.incoming,
            can_send_request=False,
            close_sse_stream=None if self.incoming.notify is None else partial(self.notify, CLOSE_STREAM, None),
        )

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


def classified(message: JsonObject) -> InboundModernRoute | bytes:
    """How a request's envelope reads; the error response where it is not of this revision."""
    request_id, method = message.get("id"), message.get("method")
    if request_id is None or not isinstance(method, str):
        return error_response(request_id, INVALID_REQUEST, "expected a JSON-RPC request with id and method")
    route = classify_inbound_request({"method": method, "params": message.get("params")})
    if isinstance(route, InboundLadderRejection):
        return error_response(request_id, route.code, route.message, route.data)
    return route


class SdkAnswer:
    """Answers requests with an SDK `Server`; the `Incoming` is its handlers' `ctx.request`."""

    def __init__(self, server: Server[Any], lifespan_state: object) -> None:
        self._server = server
        self._state = lifespan_state

    async def __call__(self, incoming: Incoming) -> bytes:
        """See `bus.serving.Answer`. Specification 2026-07-28, basic: requests carry their own envelope."""
        message = incoming.message
        route = classified(message)
        if isinstance(route, bytes):
            return route
        request_id, method = message["id"], str(message["method"])
        params = cast(dict[str, Any] | None, message.get("params"))
        dispatch = _Dispatch(incoming)
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


OnRequest = Callable[[str, JsonObject], Awaitable[JsonObject]]
"""Answers a request of the server's own; raises `MCPError`."""

OnNotification = Callable[[str, JsonObject], None]
"""Hears a notification, in the order of the wire and before any later response is seen; does not block."""


class PeerGone(Exception):
    """The connection to a server ended before it answered; `for_good` where no other request can be made on it."""

    def __init__(self, for_good: bool = True) -> None:
        super().__init__("it hung up")
        self.for_good = for_good


class Peer:
    """A server at the other end of a transport: methods, parameters and results as they are on the wire."""

    def __init__(self, streams: TransportStreams, on_request: OnRequest, on_notification: OnNotification) -> None:
        self._dispatcher: JSONRPCDispatcher[TransportContext] = JSONRPCDispatcher(*streams)
        self._on_request = on_request
        self._on_notification = on_notification

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Carry messages until the server hangs up; `task_status` is started once requests can be made."""
        await self._dispatcher.run(self._asked, self._ignored, self._told, task_status=task_status)

    async def request(
        self,
        method: str,
        params: JsonObject,
        *,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> JsonObject:
        """The result. Cancelled, the server is told with `notifications/cancelled`.

        Raises:
            MCPError: the server's error, or that it took too long.
            PeerGone: it hung up.
        """
        options = CallOptions(cancel_on_abandon=method not in ("initialize", "server/discover"))
        if headers:
            options["headers"] = dict(headers)
        if request_id is not None:
            options["request_id"] = request_id
        if timeout_s is not None:
            options["timeout"] = timeout_s
        try:
            return await self._dispatcher.send_raw_request(method, params, options)
        except MCPError as wrong:
            # The SDK reports its own trouble under codes that servers use themselves; only the words tell.
            if wrong.error.message in _BROKE_OFF:
                raise PeerGone(for_good=_BROKE_OFF[wrong.error.message]) from wrong
            raise

    async def notify(self, method: str, params: JsonObject, headers: Mapping[str, str] | None = None) -> None:
        """Tell the server something; nothing happens once it has gone."""
        await self._dispatcher.notify(method, params, CallOptions(headers=dict(headers or {})))

    async def _asked(
        self, context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        return await self._on_request(method, dict(params or {}))

    def _told(self, method: str, params: Mapping[str, Any] | None) -> bool:
        self._on_notification(method, dict(params or {}))
        return True

    async def _ignored(
        self, context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
    ) -> None:
        """Every notification has been told in order."""


_BROKE_OFF = {
    "Connection closed": True,
    "Session terminated": True,
    "SSE stream ended without a response": False,
    "SSE stream ended and reconnection attempts were exhausted": False,
}
"""What the SDK says when no answer can come any more, and whether the connection is over, too."""


def http_headers(version: str, method: str, params: JsonObject, schema: JsonObject | None) -> dict[str, str]:
    """What Streamable HTTP mirrors of a request of 2026-07-28; `schema` is the called tool's for its input."""
    headers = {MCP_PROTOCOL_VERSION_HEADER: version, MCP_METHOD_HEADER: method}
    name = params.get(NAME_BEARING_METHODS.get(method, ""))
    if isinstance(name, str):
        headers[MCP_NAME_HEADER] = encode_header_value(name)
    if schema is not None:
        headers |= mcp_param_headers(x_mcp_header_map(schema), as_object(params.get("arguments")))
    return headers
