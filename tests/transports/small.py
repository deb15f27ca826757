"""One small server for every transport: each of its tools shows one thing that a transport has to carry."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import anyio
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from tests.conformance.server.asking import ask, filled_in, form
from tests.conformance.server.request import Context, Round
from tests.conformance.server.tools import ServedTool, Toolbox, replied, tool

NAME, VERSION, INSTRUCTIONS = "small", "7", "Be brief. Sé breve, 简短."
KEPT: dict[str, Any] = {"example.com/kept": [1, {"a": None}]}
REFUSAL: tuple[int, str, dict[str, Any]] = (-32042, "not today", {"until": "tomorrow", "why": None})
"""Code, message and data of what `refuse` answers with."""
QUESTIONS = {"first": "Who?", "second": "And who else?"}
"""What `greet` asks."""

_TEXT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

SAY = Tool(
    name="say",
    title="Say it",
    description="Says back what it was given.",
    input_schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_TEXT,
        "$defs": {"any": {"$anchor": "any"}},
        "properties": {"text": {"type": "string"}, "more": {"$ref": "#/$defs/any"}},
        "additionalProperties": False,
        "x-kept": [1, {"a": None}],
    },
    output_schema={"type": "object", "properties": {"said": {"type": "object"}}, "required": ["said"]},
    annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False),
    _meta=KEPT,
)


async def _say(call: Round) -> CallToolResult:
    said: dict[str, Any] = {"said": dict(call.arguments)}
    return CallToolResult(content=[TextContent(text="said")], structured_content=said, _meta=KEPT)


async def _fail(call: Round) -> CallToolResult:
    return replied(f"{call.arguments['text']}?", "No.", failed=True)


async def _refuse(call: Round) -> CallToolResult:
    raise MCPError(*REFUSAL)


async def _count(call: Round) -> CallToolResult:
    for done in (1, 2, 3):
        await call.context.session.report_progress(done, 3, f"{call.arguments['text']} at {done}")
        await anyio.lowlevel.checkpoint()
    return replied(call.arguments["text"])


async def _wait(ended: list[str], call: Round) -> CallToolResult:
    try:
        await call.context.session.report_progress(0, 1, "begun")
        await anyio.sleep_forever()
        raise AssertionError("unreachable")
    finally:
        ended.append(call.arguments["text"])


async def _ended(ended: list[str], call: Round) -> CallToolResult:
    return CallToolResult(content=[], structured_content={"ended": ended})


async def _seen(call: Round) -> CallToolResult:
    meta = dict(call.context.params or {}).get("_meta")
    return CallToolResult(content=[], structured_content={"meta": meta, "pid": os.getpid()})


async def _greet(call: Round) -> CallToolResult | InputRequiredResult:
    """Ask for two names, one after the other; the state is the first."""
    if call.state is not None and (second := filled_in(call, "second")):
        return replied(f"{call.state} and {second['name']}")
    first = filled_in(call, "first")
    key, state = ("first", None) if first is None else ("second", str(first["name"]))
    return ask(call, state, **{key: form(QUESTIONS[key], name={"type": "string"})})


def small_server() -> Server[Any]:
    """A new one, of either era, for any transport."""
    ended: list[str] = []
    toolbox = Toolbox(
        (
            ServedTool(SAY, _say),
            tool("fail", "Fails as tools do", _fail, _TEXT),
            tool("refuse", "Answers with an error", _refuse),
            tool("count", "Counts to three, aloud", _count, _TEXT),
            tool("wait", "Begins, says so, and never ends", partial(_wait, ended), _TEXT),
            tool("ended", "Which calls of `wait` were ended", partial(_ended, ended)),
            tool("seen", "What came beside the arguments", _seen),
            tool("greet", "Asks for two names", _greet),
        )
    )

    async def list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=toolbox.definitions())

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        answers = params.input_responses or {}
        return await toolbox.call(params.name, Round(context, params.arguments or {}, answers, params.request_state))

    return Server(NAME, version=VERSION, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)
