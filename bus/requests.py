"""The server's side of requests that are not stored: they act on nothing, and whoever gets no answer asks again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bus.bus import Bus, Message
from bus.errors import BusError, InvalidMessage, TooLarge
from bus.subjects import parse_rpc
from bus.wire import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PROTOCOL_VERSION,
    UNSUPPORTED_VERSION,
    JsonObject,
    as_object,
    error_response,
    parse,
)

log = logging.getLogger(__name__)

AnswerRequest = Callable[[JsonObject, str], Awaitable[bytes]]
"""The response to a request, by its message and its caller."""


async def respond(bus: Bus, held: Message, answer: AnswerRequest) -> None:
    """Answer a request on `rpc.…`, or say why it is none."""
    message: JsonObject = {}
    try:
        _, method, caller = parse_rpc(held.subject)
        message = parse(held.subject, held.body)
    except InvalidMessage as wrong:
        body = error_response(None, INVALID_REQUEST, wrong.reason)
    else:
        if message.get("method") != method:
            told = f"the subject says {method}, the body {message.get('method')}"
            body = error_response(message.get("id"), HEADER_MISMATCH, told)
        elif method == "tools/call":
            body = error_response(message.get("id"), INVALID_REQUEST, "tools/call goes to call.… and is stored")
        elif method == "initialize":
            told = "there is no handshake on this bus; ask with server/discover"
            body = error_response(message.get("id"), UNSUPPORTED_VERSION, told, _versions(message))
        else:
            body = await answer(message, caller)
    if not held.reply:
        return
    try:
        try:
            await bus.publish(held.reply, body)
        except TooLarge as wrong:  # only what is stored can be kept apart
            await bus.publish(held.reply, error_response(message.get("id"), INTERNAL_ERROR, wrong.reason))
    except BusError as wrong:  # whoever asked asks again, or is told by their own time-out
        log.warning("an answer of %d bytes on %s is not sent: %s", len(body), held.subject, wrong)


def _versions(message: JsonObject) -> JsonObject:
    """What goes with `UnsupportedProtocolVersion`."""
    requested = as_object(message.get("params")).get("protocolVersion")
    return {"supported": [PROTOCOL_VERSION], "requested": str(requested or "")}
