"""Resources: text, binary, one from a template, and one that can be watched."""

from __future__ import annotations

import json
import re

from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    EmptyResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SubscribeRequestParams,
    TextResourceContents,
    UnsubscribeRequestParams,
)

from tests.conformance.server.request import Context, session_of
from tests.conformance.server.samples import SQUARE

WATCHED = "test://watched-resource"
_TEMPLATE = re.compile(r"test://template/([^/]+)/data")

_LISTED = [
    Resource(uri="test://static-text", name="static-text", description="Text", mime_type="text/plain"),
    Resource(uri="test://static-binary", name="static-binary", description="An image", mime_type="image/png"),
    Resource(uri=WATCHED, name="watched-resource", description="Text that changes", mime_type="text/plain"),
]
_TEMPLATES = [
    ResourceTemplate(
        uri_template="test://template/{id}/data",
        name="template-data",
        description="Data for an id",
        mime_type="application/json",
    )
]


def _text(uri: str, mime_type: str, text: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=mime_type, text=text)])


class Resources:
    """What can be read, and who of the 2025 clients wants to hear of changes."""

    def __init__(self) -> None:
        self._edition = 1
        self._watching: dict[tuple[str, str], ServerSession] = {}

    async def list(self, context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        """`resources/list`."""
        return ListResourcesResult(resources=_LISTED)

    async def templates(self, context: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        """`resources/templates/list`."""
        return ListResourceTemplatesResult(resource_templates=_TEMPLATES)

    async def read(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """`resources/read`; an unknown URI is an error that names it (SEP-2164)."""
        match params.uri:
            case "test://static-text" as uri:
                return _text(uri, "text/plain", "This is the content of the static text resource.")
            case "test://static-binary" as uri:
                return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=SQUARE)])
            case uri if uri == WATCHED:
                return _text(uri, "text/plain", f"Edition {self._edition}")
            case uri if found := _TEMPLATE.fullmatch(uri):
                data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
                return _text(uri, "application/json", json.dumps(data))
            case uri:
                raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})

    async def subscribe(self, context: Context, params: SubscribeRequestParams) -> EmptyResult:
        """`resources/subscribe`, of 2025."""
        self._watching[session_of(context), params.uri] = context.session
        return EmptyResult()

    async def unsubscribe(self, context: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """`resources/unsubscribe`, of 2025."""
        self._watching.pop((session_of(context), params.uri), None)
        return EmptyResult()

    async def rewrite_watched(self) -> None:
        """Change the watched resource and tell those who subscribed to it."""
        self._edition += 1
        for (_, uri), session in list(self._watching.items()):
            if uri == WATCHED:
                await session.send_resource_updated(uri)
