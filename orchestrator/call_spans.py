"""The spans of one call: as its caller sees it, as its server does, and the asking where that asks a model. Pure.

Times are the broker's, which stored the call and its answer: members on other machines have clocks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from pydantic import ValidationError

from bus.wire import PROTOCOL_VERSION, as_object, correlation_of, failure_of
from contracts.model import CompleteParams, CompleteResult
from contracts.trace import Attributes, Span, SpanId, span_id
from orchestrator.exchanges import Exchange

UNFINISHED = "unfinished"
"""Why a span failed that was under way when its run ended."""

_MODEL = ("model", "complete")


def spans_of_call(call: Exchange, ended_at: datetime | None, above: Callable[[str], SpanId]) -> Iterator[Span]:
    """None while it is under way, unless its run has ended, at `ended_at`; `above` gives the span a step's path is in.

    Conventions: "MCP spans, client" and "server"; an answer that says it failed is a `tool_error`.
    """
    subject, about = call.subject, correlation_of(call.request)
    answered_at = ended_at if call.result is None else call.result.stored_at
    if answered_at is None:
        return
    begun_at = call.call.stored_at
    error, attributes = _outcome(call)
    asked = Span(
        trace_id=about.trace_of(subject.call_id),
        span_id=span_id("call", subject.call_id),
        parent_id=span_id("served", about.parent) if about.parent else above(about.step),
        name=f"tools/call {subject.tool}",
        kind="client",
        service=subject.caller,
        started_at=begun_at,
        ended_at=max(begun_at, answered_at),
        error=error,
        attributes={
            "mcp.method.name": "tools/call",
            "mcp.protocol.version": PROTOCOL_VERSION,
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": subject.tool,
            "jsonrpc.request.id": subject.call_id,
            "network.protocol.name": "nats",
            "network.transport": "tcp",
            "podium.run": about.run,
            "podium.step": about.step,
            "podium.server": subject.server,
            "podium.caller": subject.caller,
            **attributes,
        },
    )
    yield asked
    if call.result is None:
        return
    seen = {"span_id": span_id("served", subject.call_id), "parent_id": asked.span_id, "kind": "server"}
    served = asked.model_copy(update=seen | {"service": subject.server})
    yield served
    if (subject.server, subject.tool) == _MODEL and not error:
        yield from _asking(call, served)


def _outcome(call: Exchange) -> tuple[str, Attributes]:
    """`error.type`, empty where there was none, and what else is said of it; no message, which may quote a file."""
    if call.result is None:
        return UNFINISHED, {}
    failure = failure_of(call.answer)
    if failure is None:
        return "", {}
    kind: Attributes = {"podium.failure.kind": failure.kind}
    code = as_object(call.answer.get("error")).get("code")
    return ("tool_error", kind) if code is None else (str(code), kind | {"rpc.response.status_code": str(code)})


def _asking(call: Exchange, served: Span) -> Iterator[Span]:
    """The requests that one question to a model took, as one span: the ledger has the time of all of them together.

    Convention: "Inference"; input tokens include those read from and written into a cache.
    """
    try:
        params = CompleteParams.model_validate(as_object(call.request.get("params")).get("arguments"))
        result = CompleteResult.model_validate(as_object(call.answer.get("result")).get("structuredContent"))
    except ValidationError:
        return  # of another version of Podium
    usage = result.spent.usage
    attributes: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": result.endpoint,
        "gen_ai.request.model": result.model,
        "gen_ai.request.max_tokens": params.max_tokens,
        "gen_ai.output.type": "json",
        "gen_ai.conversation.id": params.run,
        "gen_ai.usage.input_tokens": usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "podium.prompt": params.prompt.name,
        "podium.requests": result.spent.requests,
    }
    if result.stop_reason:
        attributes["gen_ai.response.finish_reasons"] = (result.stop_reason,)
    if result.spent.cost_usd is not None:
        attributes["podium.cost_usd"] = float(result.spent.cost_usd)
    yield Span(
        trace_id=served.trace_id,
        span_id=span_id("chat", call.subject.call_id),
        parent_id=served.span_id,
        name=f"chat {result.model}",
        kind="client",
        service=served.service,
        started_at=max(served.started_at, served.ended_at - timedelta(seconds=result.duration_s)),
        ended_at=served.ended_at,
        error="" if result.outcome == "ok" else result.outcome,
        attributes=attributes,
    )
