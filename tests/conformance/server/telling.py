"""Tools that say something before they answer: progress, log messages, and that their stream may be closed."""

from __future__ import annotations

from typing import Any, cast, get_args

import anyio
from mcp_types import (
    LOG_LEVEL_META_KEY,
    CallToolResult,
    EmptyResult,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    Notification,
    ServerNotification,
    SetLevelRequestParams,
)

from bus.wire import CLOSE_STREAM
from tests.conformance.server.request import Context, Round, session_of, speaks_2026
from tests.conformance.server.tools import ServedTool, replied, tool

_BETWEEN_S = 0.05
"""The suite asks for a pause between notifications, so that each has to arrive on its own."""

_LEVELS: tuple[LoggingLevel, ...] = get_args(LoggingLevel)


class Log:
    """Log messages to clients, down to the level that each wants.

    A 2025 client says so once with `logging/setLevel` (everything until then), one of 2026 with each request
    (nothing otherwise).
    """

    def __init__(self) -> None:
        self._levels: dict[str, LoggingLevel] = {}

    async def set_level(self, context: Context, params: SetLevelRequestParams) -> EmptyResult:
        """`logging/setLevel`."""
        self._levels[session_of(context)] = params.level
        return EmptyResult()

    def _wanted(self, context: Context, level: LoggingLevel) -> bool:
        lowest = (
            (context.meta or {}).get(LOG_LEVEL_META_KEY)
            if speaks_2026(context)
            else self._levels.get(session_of(context), "debug")
        )
        return lowest in _LEVELS and _LEVELS.index(level) >= _LEVELS.index(lowest)

    async def info(self, context: Context, text: str) -> None:
        """Say it on the stream of the request that is being answered."""
        if self._wanted(context, "info"):
            told = LoggingMessageNotificationParams(level="info", data=text)
            await context.session.send_notification(
                LoggingMessageNotification(params=told), related_request_id=context.request_id
            )


async def _progress(call: Round) -> CallToolResult:
    for done in (0, 50, 100):
        await call.context.session.report_progress(done, 100)
        await anyio.sleep(_BETWEEN_S)
    return replied("Tool with progress executed")


async def _reconnection(call: Round) -> CallToolResult:
    """Close the stream, so that the answer has to be fetched by coming back (SEP-1699).

    Over stdio there is none; behind a bridge of Podium's there may be one, see docs/mcp-over-nats.md.
    """
    await anyio.sleep(_BETWEEN_S)  # closed at once, the stream would not have told yet where to come back
    token = (call.context.meta or {}).get("progress_token")
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
    elif token is not None:
        told = Notification[dict[str, Any], str](method=CLOSE_STREAM, params={"progressToken": token})
        # What the SDK declares here are the specification's own notifications.
        await call.context.session.send_notification(cast(ServerNotification, told), call.context.request_id)
    return replied("Reconnection test completed")


def telling_tools(log: Log) -> tuple[ServedTool, ...]:
    """The tools of this file."""

    async def logs(call: Round) -> CallToolResult:
        for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await log.info(call.context, text)
            await anyio.sleep(_BETWEEN_S)
        return replied("Tool with logging executed")

    return (
        tool("test_tool_with_progress", "Tells how far it is", _progress),
        tool("test_tool_with_logging", "Logs what it does", logs),
        tool("test_logging_tool", "Logs what it does, if it is asked to", logs),
        tool("test_reconnection", "Closes its stream before it answers", _reconnection),
    )
