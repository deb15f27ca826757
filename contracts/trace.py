"""Traces, as OpenTelemetry has them: ids that are derived instead of handed on, and a span as a value. Pure.

Whoever knows a run's name, or a call's id, knows its trace and its spans. So a resumed run goes on in its trace, a
redelivered call has the spans it had, and nothing about traces has to be kept anywhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.base import Model, UtcTime, sha256

TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
SpanId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

SpanKind = Literal["internal", "client", "server"]
Attributes = dict[str, str | int | float | tuple[str, ...]]

TRACEPARENT = "traceparent"
"""Key in a request's `_meta`, without a prefix (SEP-414)."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def trace_of_run(run: str) -> TraceId:
    """The trace of everything that belongs to a run."""
    return _digest("podium-trace-1", "run", run)[:32]


def trace_of_call(call_id: str) -> TraceId:
    """The trace of a call outside runs that came without one, and of what is called on its behalf."""
    return _digest("podium-trace-1", "call", call_id)[:32]


def span_id(kind: Literal["run", "step", "gate", "call", "served", "chat"], *names: str) -> SpanId:
    """A span's id; `call` is a call as its caller sees it, `served` as its server does."""
    return _digest("podium-span-1", kind, *names)[:16]


def traceparent(trace: TraceId, call_id: str) -> str:
    """What a call says of its place: the caller's span of it (W3C Trace Context, version 00, sampled)."""
    return f"00-{trace}-{span_id('call', call_id)}-01"


def trace_in(said: object) -> str:
    """The trace id in a `traceparent`; empty where it is none, or an invalid one."""
    found = _TRACEPARENT.fullmatch(said) if isinstance(said, str) else None
    return found[1] if found and set(found[1]) != {"0"} and set(found[2]) != {"0"} else ""


def _digest(*words: str) -> str:
    return sha256("\n".join(words).encode("utf-8", "surrogatepass"))  # who made a call may have named any run


class Moment(Model):
    """Something that happened at one time within a span."""

    name: str
    at: UtcTime


class Span(Model):
    """One piece of work: whose, of what, from when to when. It holds names, times and counts, and nobody's text."""

    trace_id: TraceId
    span_id: SpanId
    parent_id: SpanId | None = None
    name: str
    kind: SpanKind = "internal"
    service: str = Field(description="Who did it: the identity of the process.")
    started_at: UtcTime
    ended_at: UtcTime
    error: str = Field(default="", description="Why it failed, as a word out of few; empty where it did not.")
    attributes: Attributes = Field(default_factory=Attributes)
    moments: tuple[Moment, ...] = ()
