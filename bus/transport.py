"""MCP over NATS for the official client: `Client(nats_transport(caller, bus, "repository"))`.

`tools/call` is stored before it is delivered; every other request is a plain request on the bus. The
binding is written down in docs/mcp-over-nats.md.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, jsonrpc_message_adapter

from bus.bus import Bus
from bus.caller import Caller, new_call_id
from bus.errors import BusError
from bus.subjects import CallSubject, rpc
from bus.wire import INTERNAL_ERROR, error_response

_REQUEST_S = 30.0

TransportStreams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def nats_transport(caller: Caller, bus: Bus, server: str) -> AsyncGenerator[TransportStreams]:
    """A client transport to one server on the bus: a pair of streams of `SessionMessage`.

    A request that nobody is there to answer gets a JSON-RPC error.
    """
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](64)
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage](64)
    async with anyio.create_task_group() as tasks, to_client, from_server, to_server, from_client:
        link = _Link(caller, bus, server, to_client)
        tasks.start_soon(link.pump, from_client)
        yield from_server, to_server
        tasks.cancel_scope.cancel()


class _Link:
    def __init__(
        self, caller: Caller, bus: Bus, server: str, to_client: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        self._caller = caller
        self._bus = bus
        self._server = server
        self._to_client = to_client
        self._open: dict[str | int, anyio.CancelScope] = {}

    async def pump(self, from_client: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async with anyio.create_task_group() as tasks:
            async for outgoing in from_client:
                message = outgoing.message
                if isinstance(message, JSONRPCRequest):
                    tasks.start_soon(self._exchange, message)
                elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
                    scope = self._open.get((message.params or {}).get("requestId", ""))
                    if scope is not None:
                        scope.cancel()

    async def _exchange(self, request: JSONRPCRequest) -> None:
        body = request.model_dump_json(by_alias=True, exclude_none=True).encode()
        with anyio.CancelScope() as scope:
            self._open[request.id] = scope
            try:
                answer = await self._send(request, body)
            except BusError as wrong:
                answer = error_response(request.id, INTERNAL_ERROR, str(wrong), {"retry": wrong.retry})
            finally:
                self._open.pop(request.id, None)
            await self._deliver(answer)

    async def _send(self, request: JSONRPCRequest, body: bytes) -> bytes:
        if request.method == "tools/call":
            tool = str((request.params or {}).get("name") or "")
            subject = CallSubject(self._server, tool or "?", self._caller.identity, new_call_id())
            return await self._caller.exchange(subject, body, on_notification=self._deliver, for_client=True)
        subject = rpc(self._server, request.method, self._bus.identity)
        return (await self._bus.request(subject, body, timeout_s=_REQUEST_S)).body

    async def _deliver(self, body: bytes) -> None:
        try:
            incoming: SessionMessage | Exception = SessionMessage(jsonrpc_message_adapter.validate_json(body))
        except ValueError as wrong:
            incoming = wrong
        await self._to_client.send(incoming)
