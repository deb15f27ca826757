"""What a tool or prompt is handed: one round of a request, whichever revision its client speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import InputResponse
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.requests import HTTPConnection

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True)
class Round:
    """What the client sends now. A request that asked for input comes again, as another round, with the answers.

    Specification 2026-07-28, basic/utilities/mrtr.
    """

    context: Context
    arguments: Mapping[str, Any]
    answers: Mapping[str, InputResponse] = field(default_factory=dict[str, InputResponse])
    state: str | None = None


def speaks_2026(context: Context) -> bool:
    """Whether this request carries its own envelope, so that nothing about its client is known from earlier ones."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def session_of(context: Context) -> str:
    """The 2025 client a request belongs to; empty where the connection is the client, as over stdio."""
    carrier: object = context.request
    return carrier.headers.get("mcp-session-id", "") if isinstance(carrier, HTTPConnection) else ""
