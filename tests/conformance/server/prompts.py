"""Prompts, one of which asks before it answers, and the completion of arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ContentBlock,
    EmbeddedResource,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListPromptsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
    TextResourceContents,
)

from tests.conformance.server.asking import ask, filled_in, form
from tests.conformance.server.request import Context, Round
from tests.conformance.server.samples import SQUARE

_KNOWN = {"arg1": ["paris", "park", "party", "test"], "arg2": ["test", "testing"], "id": ["123", "124"]}
"""Values for arguments of prompts and of the resource template."""


@dataclass(frozen=True)
class ServedPrompt:
    """A prompt's definition and its messages."""

    definition: Prompt
    get: Callable[[Round], GetPromptResult | InputRequiredResult]


def _prompt(
    name: str, description: str, get: Callable[[Round], GetPromptResult | InputRequiredResult], *arguments: str
) -> ServedPrompt:
    required = [PromptArgument(name=argument, required=True) for argument in arguments]
    return ServedPrompt(Prompt(name=name, description=description, arguments=required), get)


def _messages(*contents: ContentBlock | str) -> GetPromptResult:
    blocks = [TextContent(text=content) if isinstance(content, str) else content for content in contents]
    return GetPromptResult(messages=[PromptMessage(role="user", content=block) for block in blocks])


def _with_arguments(get: Round) -> GetPromptResult:
    return _messages(f"Prompt with arguments: arg1='{get.arguments['arg1']}', arg2='{get.arguments['arg2']}'")


def _with_resource(get: Round) -> GetPromptResult:
    text = "Embedded resource content for testing."
    contents = TextResourceContents(uri=get.arguments["resourceUri"], mime_type="text/plain", text=text)
    return _messages(EmbeddedResource(resource=contents), "Please process the embedded resource above.")


def _with_context(get: Round) -> GetPromptResult | InputRequiredResult:
    entered = filled_in(get, "user_context")
    if entered is None:
        return ask(get, user_context=form("What context should the prompt use?", context={"type": "string"}))
    return _messages(f"Use this context: {entered.get('context')}")


_PROMPTS = (
    _prompt("test_simple_prompt", "Text", lambda get: _messages("This is a simple prompt for testing.")),
    _prompt("test_prompt_with_arguments", "Text with arguments in it", _with_arguments, "arg1", "arg2"),
    _prompt("test_prompt_with_embedded_resource", "A resource", _with_resource, "resourceUri"),
    _prompt(
        "test_prompt_with_image",
        "An image",
        lambda get: _messages(ImageContent(data=SQUARE, mime_type="image/png"), "Please analyze the image above."),
    ),
    _prompt("test_input_required_result_prompt", "Asks for its context first", _with_context),
)
PASSING_PROMPT = _prompt("test_passing_prompt", "Comes and goes", lambda get: _messages("I was there."))


class Prompts:
    """The prompts that are there now."""

    def __init__(self) -> None:
        self._prompts = {prompt.definition.name: prompt for prompt in _PROMPTS}

    def toggle(self, prompt: ServedPrompt) -> None:
        """Put the prompt in, or take it out if it is there."""
        if self._prompts.pop(prompt.definition.name, None) is None:
            self._prompts[prompt.definition.name] = prompt

    async def list(self, context: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
        """`prompts/list`."""
        return ListPromptsResult(prompts=[prompt.definition for prompt in self._prompts.values()])

    def get(self, name: str, get: Round) -> GetPromptResult | InputRequiredResult:
        """The messages of a prompt. MCPError -32602 for an unknown name or a missing argument."""
        found = self._prompts.get(name)
        if found is None:
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {name}")
        missing = [each.name for each in found.definition.arguments or [] if each.name not in get.arguments]
        if missing:
            raise MCPError(INVALID_PARAMS, f"Missing arguments: {', '.join(missing)}")
        return found.get(get)


async def complete(context: Context, params: CompleteRequestParams) -> CompleteResult:
    """`completion/complete`: the known values that begin with what is there."""
    values = [value for value in _KNOWN.get(params.argument.name, []) if value.startswith(params.argument.value)]
    return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))
