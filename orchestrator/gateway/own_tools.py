"""The gateway's own tools: what each takes and gives by contract, what it may do, and who answers it.

A tool that needs a person answers with a `Question`. The host puts it, and calls again with the answer and with the
question's state (specification 2026-07-28, multi round-trip requests).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

import mcp_types as types
from pydantic import ValidationError

from bus.errors import BusError
from bus.wire import JsonObject, as_object, failure_result
from contracts.base import Model
from contracts.failure import Failure, FailureKind
from contracts.manifest import ToolSpec
from orchestrator.errors import OrchestratorError, UnknownRun
from orchestrator.gateway.envelope import Context, is_modern

P = TypeVar("P", bound=Model)

_ASKED = "person"
"""The key of the one question that is put at a time."""

_TEXT_CHARS = 16 << 10
"""A result up to this size is repeated as text, for hosts that read text only."""


class ToolFailed(Exception):
    """A tool could not do what was asked."""

    def __init__(self, kind: FailureKind, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message, way_out=way_out)


@dataclass(frozen=True)
class Question:
    """What a person is asked: a form with flat fields."""

    message: str
    fields: JsonObject
    required: tuple[str, ...]
    state: str

    def result(self) -> JsonObject:
        """The result that has the host ask."""
        schema = {"type": "object", "properties": self.fields, "required": list(self.required)}
        asked = {"mode": "form", "message": self.message, "requestedSchema": schema}
        requests = {_ASKED: {"method": "elicitation/create", "params": asked}}
        return {"resultType": "input_required", "inputRequests": requests, "requestState": self.state}


@dataclass(frozen=True)
class Round:
    """What a host sends now."""

    context: Context
    tool: str
    arguments: JsonObject
    state: str = ""
    answer: types.ElicitResult | None = None

    @classmethod
    def of(cls, context: Context, params: JsonObject) -> Round:
        """The round that a call's parameters are."""
        try:
            answer = types.ElicitResult.model_validate(as_object(params.get("inputResponses")).get(_ASKED))
        except ValidationError:
            answer = None
        state = str(params.get("requestState") or "")
        return cls(context, str(params.get("name")), as_object(params.get("arguments")), state, answer)

    @property
    def can_ask(self) -> bool:
        """Whether the host puts forms to a person (specification, client capabilities)."""
        able = self.context.session.client_capabilities
        asks = able.elicitation if able else None
        if asks is None or (asks.form is None and asks.url is not None):
            return False
        return is_modern(self.context) or self.context.session.can_send_request


@dataclass(frozen=True)
class OwnTool:
    """One tool, as a host sees it and as it is answered."""

    spec: ToolSpec
    params: type[Model]
    handler: Callable[[Any, Round], Awaitable[Model | Question]]

    def definition(self) -> JsonObject:
        """As `tools/list` has it."""
        spec = self.spec
        return {
            "name": spec.name,
            "title": spec.title,
            "description": spec.description,
            "inputSchema": spec.input_schema,
            "outputSchema": spec.output_schema,
            "annotations": {
                "readOnlyHint": spec.read_only,
                "destructiveHint": spec.destructive,
                "idempotentHint": spec.idempotent,
                "openWorldHint": spec.open_world,
            },
        }

    async def call(self, asked: Round) -> JsonObject:
        """The call's result; whatever goes wrong is one, too."""
        try:
            found = await self.handler(self.params.model_validate(asked.arguments), asked)
            return found.result() if isinstance(found, Question) else _complete(found)
        except ValidationError as wrong:
            problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong.errors()[:5])
            return failure_result(Failure(kind="invalid", message=f"{self.spec.name}: {problems}"))
        except ToolFailed as wrong:
            return failure_result(wrong.failure)
        except UnknownRun as wrong:
            way_out = "The resource podium://runs lists the runs there are."
            return failure_result(Failure(kind="not_found", message=f"There is no run {wrong.run}.", way_out=way_out))
        except OrchestratorError as wrong:
            return failure_result(Failure(kind="conflict", message=str(wrong)))
        except BusError as wrong:
            return failure_result(Failure(kind="unavailable", message=str(wrong), retry=wrong.retry))
        except OSError as wrong:
            return failure_result(Failure(kind="unavailable", message=str(wrong)))


def own_tool(
    handler: Callable[[P, Round], Awaitable[Model | Question]],
    *,
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    open_world: bool = False,
) -> OwnTool:
    """The tool that `handler` is: its name, its docstring for title and description, the contracts in its signature.

    It takes `asked` and `now`, and gives a result, or a `Question`. The keywords are MCP's tool annotations.
    """
    hints = get_type_hints(handler)
    result = next(one for one in get_args(hints["return"]) or (hints["return"],) if one is not Question)
    title, _, description = (inspect.getdoc(handler) or "").partition("\n\n")
    spec = ToolSpec(
        name=handler.__name__,
        title=title.rstrip("."),
        description=" ".join(description.split()),
        input_schema=hints["asked"].model_json_schema(),
        output_schema=result.model_json_schema(mode="serialization"),
        read_only=read_only,
        destructive=destructive,
        idempotent=idempotent,
        open_world=open_world,
    )
    return OwnTool(spec, hints["asked"], handler)


def _complete(found: Model) -> JsonObject:
    dumped = found.model_dump_json()
    text = dumped if len(dumped) <= _TEXT_CHARS else f"{len(dumped)} characters; see the structured content"
    return {
        "resultType": "complete",
        "content": [{"type": "text", "text": text}],
        "structuredContent": found.model_dump(mode="json"),
    }
