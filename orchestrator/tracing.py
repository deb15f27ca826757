"""A run's trace: read from the ledger, and exported where the environment says.

Nothing of OpenTelemetry is imported until there is something to export and somewhere to export it to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import distributions
from threading import Thread

import anyio

from bus.bus import Bus
from contracts.ledger import RUNS_STREAM
from contracts.trace import Span
from orchestrator.clock import AGREE
from orchestrator.errors import OrchestratorError, UnknownRun
from orchestrator.recording import opened, readable, record
from orchestrator.spans import spans_of

INSTALL = "`pip install 'podium[otel]'` brings it"
ENDPOINT_ENV = "OTEL_EXPORTER_OTLP_ENDPOINT"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ENDPOINT_ENV)
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_EXPORTER = "opentelemetry-exporter-otlp-proto-http"
_TIMEOUT_S = 3.0
"""For a collector, unless a variable says otherwise: a command that has said all it has to say may wait for it."""
_READ_S = 10.0
"""For reading a run: longer than the largest takes, and no longer than somebody waits for a result that is there."""


class NotExported(OrchestratorError):
    """A trace did not get to its collector; says why and what to do."""


def endpoint() -> str:
    """Where the environment wants traces to go; empty where it wants none."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    return next((said for name in _ENDPOINTS if (said := os.environ.get(name))), "")


def exporter_is_there() -> bool:
    """Whether anything could be exported; imports none of it."""
    return any(distributions(name=_EXPORTER))


async def trace_of(bus: Bus, run: str) -> tuple[Span, ...]:
    """What is over of a run, as spans, for who may read the whole ledger.

    Raises:
        UnknownRun, Torn: there is no such run, or some of its events are missing.
    """
    first = await bus.last(RUNS_STREAM, f"run.{run}.started")
    if first is None:
        raise UnknownRun(run)
    # Brokers of a cluster may disagree about the time by as much as machines may.
    recording = await record(bus, run, await readable(bus), since=first.stored_at - AGREE)
    return spans_of(await opened(recording))


def send(spans: Sequence[Span]) -> None:
    """Export them to `endpoint()`; returns when they were taken. Blocks.

    Raises:
        NotExported: the exporter is not installed, or nobody takes them in time.
    """
    try:
        from orchestrator.otlp import export
    except ImportError as wrong:
        raise NotExported(f"OpenTelemetry's exporter is not installed; {INSTALL}") from wrong
    if not export(spans, None if any(map(os.environ.get, _TIMEOUTS)) else _TIMEOUT_S):
        raise NotExported(f"nobody at {endpoint()} takes it; collectors listen for OTLP over HTTP on port 4318")


class Exporting:
    """Has each run's trace exported once the run has ended; whatever becomes of that, it is not the run's affair."""

    def __init__(self, auditor: Callable[[], AbstractAsyncContextManager[Bus]], say: Callable[[str], None]) -> None:
        """`auditor` connects as who may read the ledger; `say` tells a person that a trace was not exported."""
        self._auditor = auditor
        self._say = say
        self._under_way: list[Thread] = []

    async def __call__(self, run: str) -> None:
        """Read the run, and leave the rest to a thread: whoever ends the process calls `wait` first."""
        try:
            with anyio.fail_after(_READ_S):
                async with self._auditor() as bus:
                    spans = await trace_of(bus, run)
        except Exception as wrong:
            self._tell(run, wrong)
        else:
            thread = Thread(target=self._send, args=(run, spans), daemon=True)
            self._under_way.append(thread)
            thread.start()

    def wait(self) -> None:
        """Until what is under way is taken, or given up: the exporter does not work while an interpreter shuts down."""
        for thread in self._under_way:
            thread.join()

    def _send(self, run: str, spans: Sequence[Span]) -> None:
        try:
            send(spans)
        except Exception as wrong:
            self._tell(run, wrong)

    def _tell(self, run: str, wrong: Exception) -> None:
        why = str(wrong) or type(wrong).__name__
        self._say(f"The trace of {run} was not exported: {why}. `podium trace {run}` tries again.")
