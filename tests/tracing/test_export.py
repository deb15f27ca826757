"""Traces on their way to a collector, over its own protocol."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bus.bus import Bus
from contracts.trace import span_id, trace_of_run
from orchestrator.otlp import export
from orchestrator.recording import Recording, opened
from orchestrator.recording_file import load
from orchestrator.spans import spans_of
from orchestrator.tracing import ENDPOINT_ENV, Exporting, NotExported, endpoint, send
from tests.tracing.collector import collector

RECORDING = Path(__file__).parent.parent / "replay/fix-bug.jsonl"


@pytest.fixture
def recording() -> Recording:
    return load(RECORDING)


def exporting(recording: Recording, said: list[str]) -> Exporting:
    @asynccontextmanager
    async def auditor() -> AsyncGenerator[Bus]:
        yield recording.bus()

    return Exporting(auditor, said.append)


async def ended(recording: Recording, said: list[str]) -> None:
    """Have the recorded run end, and wait until its trace is out."""
    exports = exporting(recording, said)
    await exports(recording.run)
    exports.wait()


def ns(at: datetime) -> int:
    """Since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


async def test_a_collector_gets_every_span_as_it_was_worked_out(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids, parents, kinds, times to the microsecond, whose process it was, and what failed."""
    said: list[str] = []
    spans = {span.span_id: span for span in spans_of(await opened(recording))}
    with collector() as there:
        monkeypatch.setenv(ENDPOINT_ENV, there.url)
        await ended(recording, said)
        got = there.by_id()

    assert said == []
    assert got.keys() == spans.keys()
    for span_id_, span in spans.items():
        on_wire = got[span_id_]
        assert (on_wire.trace_id, on_wire.parent_id) == (span.trace_id, span.parent_id or "")
        assert (on_wire.name, on_wire.kind, on_wire.service) == (span.name, span.kind, f"podium-{span.service}")
        assert (on_wire.start_ns, on_wire.end_ns) == (ns(span.started_at), ns(span.ended_at))
        assert on_wire.failed == bool(span.error)
        assert on_wire.attributes == {**span.attributes, **({"error.type": span.error} if span.error else {})}
    assert got[span_id("run", recording.run)].trace_id == trace_of_run(recording.run)


@pytest.mark.parametrize("status", [400, 503])
async def test_a_collector_that_takes_nothing_is_said_once_and_breaks_nothing(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it refuses for good, and where it may take it later: one sentence, with the way out."""
    said: list[str] = []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with collector(status) as there:
        monkeypatch.setenv(ENDPOINT_ENV, there.url)
        await ended(recording, said)
        assert there.requests >= 1
    assert len(said) == 1
    assert there.url in said[0]
    assert f"podium trace {recording.run}" in said[0]
    assert caplog.messages == []


async def test_a_ledger_that_cannot_be_read_is_said_too(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: the run has ended as it did."""
    said: list[str] = []
    await exporting(recording, said)("r-nobody")
    assert len(said) == 1
    assert "r-nobody" in said[0]


async def test_who_is_behind_an_endpoint_need_not_answer(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who takes the connection and says nothing costs the time limit and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(ENDPOINT_ENV, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert export([], 0.2), "nothing to take is nothing to wait for"
        monkeypatch.setattr("orchestrator.tracing._TIMEOUT_S", 0.2)
        with pytest.raises(NotExported, match="nobody at"):
            send(spans_of(await opened(recording)))


def test_without_the_exporter_it_is_said_what_to_install() -> None:
    """And nothing of OpenTelemetry's SDK is imported by who only might export."""
    code = (
        "import sys, orchestrator.cli.conduct\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.')], 'imported for nothing'\n"
        "sys.modules['opentelemetry.exporter'] = None\n"
        "from orchestrator.tracing import NotExported, send\n"
        "try:\n    send(())\nexcept NotExported as wrong:\n    print(wrong)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'podium[otel]'" in done.stdout


def test_only_who_names_a_collector_has_traces_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenTelemetry's own variables, its switch among them."""
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    assert endpoint() == ""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4318")
    assert endpoint() == "http://one:4318"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://two:4318/v1/traces")
    assert endpoint() == "http://two:4318/v1/traces"
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert endpoint() == ""
