"""A collector that takes what an exporter sends it: OTLP over HTTP, protobuf bodies."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    """A span as it was on the wire."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, Any]
    events: tuple[str, ...]


@dataclass
class Collector:
    """What came, and where it listens."""

    url: str
    spans: list[Received] = field(default_factory=list[Received])
    requests: int = 0

    def by_id(self) -> dict[str, Received]:
        found = {span.span_id: span for span in self.spans}
        assert len(found) == len(self.spans), "a span came twice"
        return found


def _value(value: Any) -> Any:
    which = value.WhichOneof("value")
    told = getattr(value, which)
    return tuple(_value(each) for each in told.values) if which == "array_value" else told


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _received(body: bytes) -> Iterator[Received]:
    request = ExportTraceServiceRequest.FromString(body)
    for of_resource in request.resource_spans:
        service = _attributes(of_resource.resource.attributes)["service.name"]
        for span in (span for scope in of_resource.scope_spans for span in scope.spans):
            yield Received(
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                name=span.name,
                kind=type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                service=service,
                start_ns=span.start_time_unix_nano,
                end_ns=span.end_time_unix_nano,
                failed=span.status.code == span.status.STATUS_CODE_ERROR,
                attributes=_attributes(span.attributes),
                events=tuple(event.name for event in span.events),
            )


@contextmanager
def collector(status: int = 200) -> Generator[Collector]:
    """One on a port of its own; with another `status` it takes nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.requests += 1
            if status == 200:
                assert self.path == "/v1/traces"
                made.spans.extend(_received(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
