"""Tools whose input schemas use what a careless server or intermediary would strip."""

from __future__ import annotations

import json
from typing import Any

from mcp_types import CallToolResult

from tests.conformance.server.request import Round
from tests.conformance.server.tools import ServedTool, replied, tool

_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

_MIRRORED: dict[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}
"""Over HTTP the argument also travels as `Mcp-Param-Region`, and the two have to agree (SEP-2243)."""


async def _say_arguments(call: Round) -> CallToolResult:
    return replied(json.dumps(dict(call.arguments)))


SCHEMA_TOOLS: tuple[ServedTool, ...] = (
    tool("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", _say_arguments, _2020_12),
    tool("test_x_mcp_header", "Its argument is mirrored into a header", _say_arguments, _MIRRORED),
)
