"""Spans to a collector, by OTLP over HTTP. The only file that imports OpenTelemetry's SDK: see `orchestrator.tracing`.

The exporter reads the standard variables itself: endpoint, headers, time limit, certificates, compression. Every span
has the process that it is about as its resource.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from contracts.trace import Span

_BATCH = 512
"""Spans in one request, as in OpenTelemetry's own batches."""
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}


def export(spans: Sequence[Span], timeout_s: float | None) -> bool:
    """Whether the collector has taken all of them; blocks until it has, or for `timeout_s` a batch (None: as it says).

    What went wrong is not logged: each try would be, and whoever asks says what came of it.
    """
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resources = {service: _resource(service) for service in {span.service for span in spans}}
    readable = [_readable(span, resources[span.service]) for span in spans]
    exporter = OTLPSpanExporter(timeout=timeout_s)
    try:
        batches = (readable[first : first + _BATCH] for first in range(0, len(readable), _BATCH))
        return all(exporter.export(batch) is SpanExportResult.SUCCESS for batch in batches)
    finally:
        exporter.shutdown()


def _resource(service: str) -> Resource:
    about = {"service.name": f"podium-{service}", "service.namespace": "podium", "service.version": version("podium")}
    return Resource.create({**about})


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes={**span.attributes, **({"error.type": span.error} if span.error else {})},
        events=[Event(each.name, timestamp=_ns(each.at)) for each in span.moments],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=_ns(span.started_at),
        end_time=_ns(span.ended_at),
        instrumentation_scope=InstrumentationScope("podium", version("podium")),
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _ns(at: datetime) -> int:
    """Nanoseconds since 1970, exact."""
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000_000 + at.microsecond * 1000
