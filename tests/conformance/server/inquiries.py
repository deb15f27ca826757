"""Tools that ask once: each kind of request a server may have for its client, and the schemas a form may have."""

from __future__ import annotations

import json
from typing import Any

from mcp_types import CallToolResult, ElicitRequest, ElicitResult, InputRequest, InputRequiredResult

from tests.conformance.server.asking import (
    ask,
    can_answer,
    completed,
    completion,
    filled_in,
    folders,
    form,
    roots,
)
from tests.conformance.server.request import Round
from tests.conformance.server.tools import Run, ServedTool, replied, tool

_Reply = CallToolResult | InputRequiredResult
_TEXT = {"type": "string"}


def _titled(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


_DEFAULTS: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_OPTIONS = ["option1", "option2", "option3"]
_ENUMS: dict[str, dict[str, Any]] = {
    "untitledSingle": {"type": "string", "enum": _OPTIONS},
    "titledSingle": {"type": "string", "oneOf": _titled(value1="First Option", value2="Second Option")},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": _titled(value1="First Choice", value2="Second Choice")}},
}


def _reported(call: Round, question: ElicitRequest) -> _Reply:
    """Whatever the person did with the form is an answer."""
    answer = call.answers.get("form")
    if not isinstance(answer, ElicitResult):
        return ask(call, form=question)
    return replied(f"User response: action={answer.action}, content={json.dumps(answer.content or {})}")


def _form_tool(name: str, description: str, /, **properties: dict[str, Any]) -> ServedTool:
    async def run(call: Round) -> _Reply:
        return _reported(call, form("Please fill this in", **properties))

    return tool(name, description, run)


async def _elicitation(call: Round) -> _Reply:
    return _reported(call, form(call.arguments["message"], username=_TEXT, email=_TEXT))


async def _sampling(call: Round) -> _Reply:
    said = completed(call, "model")
    if said is None:
        return ask(call, model=completion(call.arguments["prompt"], 100))
    return replied(f"LLM response: {said}")


async def _name(call: Round) -> _Reply:
    entered = filled_in(call, "user_name")
    if entered is None:
        return ask(call, user_name=form("What is your name?", name=_TEXT))
    return replied(f"Hello, {entered.get('name')}!")


async def _capital(call: Round) -> _Reply:
    said = completed(call, "capital_question")
    if said is None:
        return ask(call, capital_question=completion("What is the capital of France?", 100))
    return replied(said)


async def _roots(call: Round) -> _Reply:
    found = folders(call, "client_roots")
    return ask(call, client_roots=roots()) if found is None else replied(f"Roots: {', '.join(found)}")


async def _streaming(call: Round) -> _Reply:
    await call.context.session.report_progress(0, 1)
    return await _name(call)


async def _what_it_can(call: Round) -> _Reply:
    wanted: dict[str, InputRequest] = {
        "say": completion("Say hello", 50),
        "name": form("What is your name?", name=_TEXT),
    }
    possible = {key: request for key, request in wanted.items() if can_answer(call, request)}
    if call.answers or not possible:
        return replied(f"Answered: {', '.join(call.answers) or 'nothing'}")
    return ask(call, **possible)


def _takes(argument: str) -> dict[str, Any]:
    return {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}


def _asks(name: str, run: Run, description: str) -> ServedTool:
    return tool(f"test_input_required_result_{name}", description, run)


INQUIRY_TOOLS: tuple[ServedTool, ...] = (
    tool("test_sampling", "Asks the client's model", _sampling, _takes("prompt")),
    tool("test_elicitation", "Asks the client's user", _elicitation, _takes("message")),
    _form_tool("test_elicitation_sep1034_defaults", "Asks with a default for every primitive type", **_DEFAULTS),
    _form_tool("test_elicitation_sep1330_enums", "Asks with every form an enumeration may have", **_ENUMS),
    tool("test_missing_capability", "Needs a client that can sample", _capital),
    tool("test_streaming_elicitation", "Asks after it has told how far it is", _streaming),
    _asks("elicitation", _name, "Asks for a name"),
    _asks("sampling", _capital, "Asks for a capital"),
    _asks("list_roots", _roots, "Asks for folders"),
    _asks("capabilities", _what_it_can, "Asks only for what the client can answer"),
)
