"""JSON-RPC bodies of tool calls, as MCP revision 2026-07-28 has them. Pure.

The engine's own caller builds and reads the same bytes as the official client, without its layers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError

from bus.errors import CallFailed, InvalidMessage
from contracts.base import Model, sha256
from contracts.failure import Failure
from contracts.trace import TRACEPARENT, TraceId, trace_in, trace_of_call, trace_of_run, traceparent

PROTOCOL_VERSION = "2026-07-28"
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603
PARSE_ERROR = -32700

RUN_META = "io.podium/run"
STEP_META = "io.podium/step"
PARENT_META = "io.podium/parent"
SUBJECT_META = "io.podium/subject"
FAILURE_META = "io.podium/failure"

CLOSE_STREAM = "io.podium/close_stream"
"""Notification of a call: whoever hears of it over a stream is to be cut off, and to come back for the answer.

Streamable HTTP of 2025-11-25 lets a tool do that (transports, resumability); on a bus there is no stream to close.
"""

R = TypeVar("R", bound=Model)
JsonObject = dict[str, Any]
"""A decoded JSON object, on its way in or out of the wire."""


@dataclass(frozen=True)
class Correlation:
    """What a call belongs to; carried in the request's `_meta`, so it is signed with the body."""

    run: str = ""
    step: str = ""
    parent: str = ""
    subject: str = ""
    """For whom an MCP host over HTTP makes it: the `sub` of its access token."""
    trace: str = ""
    """Of a call outside runs: the trace that its caller says it is part of."""

    def meta(self) -> dict[str, str]:
        """The `_meta` entries, without empty ones."""
        pairs = {RUN_META: self.run, STEP_META: self.step, PARENT_META: self.parent, SUBJECT_META: self.subject}
        return {key: value for key, value in pairs.items() if value}

    def trace_of(self, call_id: str) -> TraceId:
        """The trace that a call with these words is part of: its run's, else the one it came with, else its own."""
        return trace_of_run(self.run) if self.run else self.trace or trace_of_call(call_id)


def correlation_of(message: JsonObject) -> Correlation:
    """What a request says it belongs to."""
    meta = as_object(as_object(message.get("params")).get("_meta"))
    run, *others = (str(meta.get(key, "")) for key in (RUN_META, STEP_META, PARENT_META, SUBJECT_META))
    return Correlation(run, *others, trace="" if run else trace_in(meta.get(TRACEPARENT)))


def call_request(call_id: str, tool: str, params: Model, about: Correlation) -> bytes:
    """A `tools/call` request whose id and progress token are the call id."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL_VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "podium", "version": "0.1.0"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": call_id,
        TRACEPARENT: traceparent(about.trace_of(call_id), call_id),
        **about.meta(),
    }
    head = json.dumps({"name": tool, "_meta": meta})[:-1]
    # The arguments go in as pydantic dumped them: no second pass through Python objects.
    arguments = params.model_dump_json()
    return (
        f'{{"jsonrpc":"2.0","id":"{call_id}","method":"tools/call","params":{head},"arguments":{arguments}}}}}'
    ).encode()


def arguments_sha256(request: bytes) -> str:
    """Digest of a call's parameters, of the very bytes that `call_request` has put there."""
    _, _, arguments = request.partition(b',"arguments":')
    return sha256(arguments.removesuffix(b"}}"))


def parse(subject: str, body: bytes) -> JsonObject:
    """A JSON-RPC message.

    Raises:
        InvalidMessage: not a JSON object that says `"jsonrpc": "2.0"`.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as wrong:  # the latter for what is nested too deep
        raise InvalidMessage(subject, f"not JSON: {wrong}") from None
    if not isinstance(message, dict) or cast(JsonObject, message).get("jsonrpc") != "2.0":
        raise InvalidMessage(subject, "not a JSON-RPC 2.0 message")
    return cast(JsonObject, message)


def called_tool(message: JsonObject) -> str | None:
    """The tool a `tools/call` request names."""
    name = as_object(message.get("params")).get("name")
    return name if message.get("method") == "tools/call" and isinstance(name, str) else None


def response(request_id: object, result: JsonObject) -> bytes:
    """A successful response."""
    return _dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_response(request_id: object, code: int, message: str, data: object = None) -> bytes:
    """A JSON-RPC error."""
    error: JsonObject = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return _dumps({"jsonrpc": "2.0", "id": request_id, "error": error})


def failure_result(failure: Failure) -> JsonObject:
    """A `CallToolResult` that says a tool failed, and how."""
    return {
        "resultType": "complete",
        "isError": True,
        "content": [{"type": "text", "text": str(failure)}],
        "structuredContent": {"failure": failure.model_dump(mode="json")},
    }


def failure_apart(result: JsonObject) -> JsonObject:
    """A tool's result for a host: a failure moves from the structured content to `_meta`; its text stays.

    Hosts compare structured content with the tool's output schema, and many do so where the call failed too: what they
    show then is that it does not fit, and not what went wrong.
    """
    structured = as_object(result.get("structuredContent"))
    if not result.get("isError") or structured.keys() != {"failure"}:
        return result
    meta = {**as_object(result.get("_meta")), FAILURE_META: structured["failure"]}
    return {**{key: value for key, value in result.items() if key != "structuredContent"}, "_meta": meta}


def notification(method: str, params: JsonObject) -> bytes:
    """A JSON-RPC notification."""
    return _dumps({"jsonrpc": "2.0", "method": method, "params": params})


def failure_of(message: JsonObject) -> Failure | None:
    """The failure a response carries, if it carries one."""
    if isinstance(error := message.get("error"), dict):
        told = cast(JsonObject, error)
        code = told.get("code")
        kind = "denied" if code == HEADER_MISMATCH else "invalid" if code in (-32602, -32601, -32600) else "internal"
        return Failure(kind=kind, message=str(told.get("message")))
    result = as_object(message.get("result"))
    if not result.get("isError"):
        return None
    try:
        return Failure.model_validate(as_object(result.get("structuredContent"))["failure"])
    except (KeyError, ValidationError):
        texts = [str(as_object(block).get("text", "")) for block in cast(list[object], result.get("content") or [])]
        return Failure(kind="internal", message=" ".join(texts) or "the tool failed and did not say how")


def result_of(server: str, tool: str, body: bytes, result: type[R]) -> R:
    """The typed result of a call.

    Raises:
        CallFailed: the response is a failure, or is not what the contract says.
    """
    try:
        # Validated in JSON mode: strict about types, tuples from arrays, times from strings.
        return _success(result).model_validate_json(body).result.structured
    except ValidationError as wrong:
        if failure := failure_of(parse(f"{server}.{tool}", body)):
            raise CallFailed(server, tool, failure) from None
        problem = f"its answer is not a {result.__name__}: {wrong}"
        raise CallFailed(server, tool, Failure(kind="internal", message=problem)) from None


class _Complete(BaseModel, Generic[R]):
    structured: R = Field(alias="structuredContent")
    is_error: Literal[False] = Field(default=False, alias="isError")


class _Success(BaseModel, Generic[R]):
    """A response that carries a result: read in one pass from the bytes."""

    jsonrpc: Literal["2.0"]
    result: _Complete[R]


@lru_cache(maxsize=256)
def _success(result: type[Model]) -> type[_Success[Any]]:
    return _Success[result]


def as_object(value: object) -> JsonObject:
    """`value` if it is a JSON object, else an empty one."""
    return cast(JsonObject, value) if isinstance(value, dict) else {}


def _dumps(message: JsonObject) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
