"""Tools that need several answers, or remember something from one round to the next.

What they remember travels through the client as `requestState`; `build.py` has it sealed on the way out and checked
on the way in, so none of it is trusted here without reason.
"""

from __future__ import annotations

from mcp_types import CallToolResult, InputRequiredResult

from tests.conformance.server.asking import ask, completed, completion, filled_in, folders, form, roots
from tests.conformance.server.request import Round
from tests.conformance.server.tools import ServedTool, replied, tool

_Reply = CallToolResult | InputRequiredResult
_TEXT = {"type": "string"}


async def _confirm(call: Round) -> _Reply:
    if filled_in(call, "confirm") is None or call.state != "asked":
        return ask(call, "asked", confirm=form("Please confirm", ok={"type": "boolean"}))
    return replied("state-ok: confirmed")


async def _several(call: Round) -> _Reply:
    name, greeting, found = filled_in(call, "user_name"), completed(call, "greeting"), folders(call, "client_roots")
    if name is None or greeting is None or found is None:
        return ask(
            call,
            "asked",
            user_name=form("What is your name?", name=_TEXT),
            greeting=completion("Generate a greeting", 50),
            client_roots=roots(),
        )
    return replied(f"{greeting} {name.get('name')}, in {', '.join(found)}")


async def _one_after_the_other(call: Round) -> _Reply:
    """The state is the name once that is known."""
    first = filled_in(call, "step1")
    if first is not None and call.state == "":
        question = form("Step 2: What is your favorite color?", color=_TEXT)
        return ask(call, str(first.get("name")), step2=question)
    second = filled_in(call, "step2")
    if second is not None and call.state:
        return replied(f"{call.state} likes {second.get('color')}")
    return ask(call, "", step1=form("Step 1: What is your name?", name=_TEXT))


ROUND_TOOLS: tuple[ServedTool, ...] = (
    tool("test_input_required_result_request_state", "Remembers that it asked", _confirm),
    tool("test_input_required_result_tampered_state", "Refuses a memory that is not its own", _confirm),
    tool("test_input_required_result_multiple_inputs", "Asks for three things at once", _several),
    tool("test_input_required_result_multi_round", "Asks twice", _one_after_the_other),
)
