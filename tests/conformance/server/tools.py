"""The tools as the server keeps them: exact definitions, looked up by name, their arguments checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, ContentBlock, InputRequiredResult, TextContent, Tool

from tests.conformance.server.request import Round

Run = Callable[[Round], Awaitable[CallToolResult | InputRequiredResult]]


@dataclass(frozen=True)
class ServedTool:
    """A tool's definition and what it does."""

    definition: Tool
    run: Run


def tool(name: str, description: str, run: Run, schema: Mapping[str, Any] | None = None) -> ServedTool:
    """A tool; without a `schema` it takes no arguments."""
    return ServedTool(
        Tool(name=name, description=description, input_schema=dict(schema or {"type": "object", "properties": {}})), run
    )


def replied(*content: ContentBlock | str, failed: bool = False) -> CallToolResult:
    """A complete result; plain words become text content."""
    blocks = [TextContent(text=block) if isinstance(block, str) else block for block in content]
    return CallToolResult(content=blocks, is_error=failed)


class Toolbox:
    """The tools that are there now, in the order in which they were put in."""

    def __init__(self, tools: Iterable[ServedTool]) -> None:
        self._tools = {tool.definition.name: tool for tool in tools}

    def definitions(self) -> list[Tool]:
        """For `tools/list`."""
        return [tool.definition for tool in self._tools.values()]

    def schema_of(self, name: str) -> Mapping[str, Any] | None:
        """A tool's input schema, which says what of its arguments is mirrored into HTTP headers."""
        found = self._tools.get(name)
        return found.definition.input_schema if found else None

    def toggle(self, tool: ServedTool) -> None:
        """Put the tool in, or take it out if it is there."""
        if self._tools.pop(tool.definition.name, None) is None:
            self._tools[tool.definition.name] = tool

    async def call(self, name: str, call: Round) -> CallToolResult | InputRequiredResult:
        """Run a tool. An unknown name is the request's fault, wrong arguments are the tool's to report.

        Specification 2025-11-25 and 2026-07-28, server/tools, error handling.
        """
        found = self._tools.get(name)
        if found is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {name}")
        checked = Draft202012Validator(found.definition.input_schema)
        wrong = cast("Iterator[ValidationError]", checked.iter_errors(dict(call.arguments)))  # pyright: ignore[reportUnknownMemberType] - it ships no types
        messages = sorted(error.message for error in wrong)
        return replied(*messages, failed=True) if messages else await found.run(call)
