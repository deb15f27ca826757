"""`podium trace`: a run's trace, for a collector or for a program."""

from __future__ import annotations

import click

from contracts.base import Model, RunId
from contracts.trace import Span, TraceId, trace_of_run
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, run_argument, start
from orchestrator.cli.trouble import trouble
from orchestrator.text import count
from orchestrator.tracing import ENDPOINT_ENV, endpoint, send, trace_of


class Trace(Model):
    """`podium trace --json`."""

    run: RunId
    trace_id: TraceId
    spans: tuple[Span, ...]


@click.command()
@run_argument
@json_option
def trace(run: str, as_json: bool) -> None:
    """Export a run's trace to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names.

    A run's trace is exported by itself when the run ends. This is for one that could not be, or that goes on: what is
    over of it by now. The spans are worked out from the ledger, and the same each time. With --json they are printed,
    and exported nowhere.

    \b
    Examples:
      OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 podium trace last
      podium trace r-7k --json
    """
    if not as_json and not endpoint():
        way_out = f"{ENDPOINT_ENV}=http://localhost:4318 podium trace {run}, or --json to print it: docs/tracing.md."
        raise trouble(f"{ENDPOINT_ENV} is not set: there is nowhere to export it to.", way_out, code=2)
    found = start(_trace, run)
    if as_json:
        document(found)
    else:
        send(found.spans)
        click.echo(f"{found.trace_id}: {count(len(found.spans), 'span')} of {found.run} exported to {endpoint()}")


async def _trace(name: str) -> Trace:
    async with ledger() as bus:
        run = await find_run(bus, name)
        return Trace(run=run, trace_id=trace_of_run(run), spans=await trace_of(bus, run))
