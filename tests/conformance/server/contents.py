"""Tools whose answer is fixed: one for each kind of content a result may hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mcp_types import AudioContent, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, TextResourceContents

from tests.conformance.server.request import Round
from tests.conformance.server.samples import SOUND, SQUARE
from tests.conformance.server.tools import ServedTool, replied, tool


def _always(*content: ContentBlock | str, failed: bool = False) -> Callable[[Round], Awaitable[CallToolResult]]:
    async def run(call: Round) -> CallToolResult:
        return replied(*content, failed=failed)

    return run


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


_IMAGE = ImageContent(data=SQUARE, mime_type="image/png")

CONTENT_TOOLS: tuple[ServedTool, ...] = (
    tool("test_simple_text", "Answers with text", _always("This is a simple text response for testing.")),
    tool("test_image_content", "Answers with an image", _always(_IMAGE)),
    tool("test_audio_content", "Answers with sound", _always(AudioContent(data=SOUND, mime_type="audio/wav"))),
    tool(
        "test_embedded_resource",
        "Answers with a resource",
        _always(_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    tool(
        "test_multiple_content_types",
        "Answers with text, an image and a resource",
        _always(
            "Multiple content types test:",
            _IMAGE,
            _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    ),
    tool(
        "test_error_handling",
        "Always fails",
        _always("This tool intentionally returns an error for testing", failed=True),
    ),
)
