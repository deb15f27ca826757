"""A host's request as the crew gets it: with the host's own envelope, or one made for it (specification, `_meta`)."""

from __future__ import annotations

from typing import Any

from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    EmptyResult,
    ProgressNotification,
    SetLevelRequestParams,
    server_notification_adapter,
)

from bus.mcp_sdk import connection_state
from bus.wire import CLOSE_STREAM, PROTOCOL_VERSION, SUBJECT_META, JsonObject, as_object
from orchestrator.gateway.bearer import token_of

Context = ServerRequestContext[Any, Any]

_OURS = "io.podium/"
"""A host does not say to which run a call belongs, nor for whom it is made."""

_LEVEL = "logging level"


def for_the_crew(ctx: Context) -> JsonObject:
    """The request's parameters; the envelope is made where the host is of the handshake era and sends none."""
    asked = on_behalf(dict(ctx.params or {}), token_of(ctx.request))
    if is_modern(ctx):
        return asked
    return {**asked, "_meta": {**as_object(asked["_meta"]), **_envelope(ctx)}}


def on_behalf(params: JsonObject, token: AccessToken | None) -> JsonObject:
    """Parameters as a host sent them, with what Podium says of them in place of what the host may have said."""
    meta = {key: value for key, value in as_object(params.get("_meta")).items() if not key.startswith(_OURS)}
    if token is not None and token.subject:
        meta[SUBJECT_META] = token.subject
    return {**params, "_meta": meta}


def is_modern(ctx: Context) -> bool:
    """Whether the host speaks the crew's own revision."""
    return ctx.protocol_version >= PROTOCOL_VERSION  # revisions are dates


def _envelope(ctx: Context) -> JsonObject:
    client, capabilities = ctx.session.client_params, ctx.session.client_capabilities
    about = client.client_info.model_dump(by_alias=True, mode="json", exclude_none=True) if client else {}
    able = capabilities.model_dump(by_alias=True, mode="json", exclude_none=True) if capabilities else {}
    level = str(connection_state(ctx.session).get(_LEVEL, "info"))
    return {
        PROTOCOL_VERSION_META_KEY: PROTOCOL_VERSION,
        CLIENT_INFO_META_KEY: about,
        CLIENT_CAPABILITIES_META_KEY: able,
        LOG_LEVEL_META_KEY: level,
    }


async def set_level(ctx: Context, params: SetLevelRequestParams) -> EmptyResult:
    """Answers `logging/setLevel`: what a host of the handshake era wants to hear of is kept for its session."""
    connection_state(ctx.session)[_LEVEL] = params.level
    return EmptyResult()


async def pass_on(ctx: Context, notification: JsonObject) -> None:
    """Do to the host's stream what a notification of its request says: send it on, or close the stream.

    Raises:
        ValidationError: it is no notification that a server sends.
    """
    if notification.get("method") == CLOSE_STREAM:
        if ctx.close_sse_stream is not None:  # where the host can come back
            await ctx.close_sse_stream()
        return
    told = {"method": notification.get("method"), "params": notification.get("params")}
    match server_notification_adapter.validate_python(told):
        case ProgressNotification(params=at):
            await ctx.session.report_progress(at.progress, at.total, at.message)
        case other:
            await ctx.session.send_notification(other, ctx.request_id)
