"""`podium audit stats`: calls in figures."""

from __future__ import annotations

from contextlib import aclosing

import click
from rich.table import Table
from rich.text import Text

from orchestrator.auditing.figures import AuditFigures, CallFigures, figures
from orchestrator.auditing.filters import Filter
from orchestrator.auditing.reading import Tally, everybody, records
from orchestrator.auditing.rows import csv_row
from orchestrator.cli.audit_filter import filter_options, settled
from orchestrator.cli.audit_output import LEAST, OUTCOMES, WIDE
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.cli.trouble import trouble
from orchestrator.text import line


@click.command()
@filter_options
@click.option("--signatures", is_flag=True, help="Check each signature; without, the broker's checks are relied on.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
def stats(wanted: Filter, signatures: bool, as_csv: bool, as_json: bool) -> None:
    """Count calls by caller, tool and outcome: how many, how long, how large; and what else is on the ledger.

    Times are from the stored call to its stored answer; p50 and p95 are within 1 %. Who called and who answered are as
    the broker let it in. With --signatures what nobody entitled signed is left out; that takes about three times as
    long, and `podium audit verify` does it for the whole ledger.

    \b
    Examples:
      podium audit stats --since 7d
      podium audit stats --run last --json
      podium audit stats --outcome denied --signatures
      podium audit stats --agent model --csv > model.csv
    """
    if as_json and as_csv:
        raise trouble("--json and --csv are two formats.", "Take one of them.", code=2)
    found = start(_stats, wanted, signatures)
    if as_json:
        document(found)
    elif as_csv:
        click.echo(csv_row(CallFigures.model_fields))
        for each in found.calls:
            click.echo(csv_row(each.model_dump().values()))
    else:
        out().print(_table(found))
        others = ", ".join(f"{number:,} {kind}" for kind, number in found.by_kind.items() if kind != "call")
        if others:
            click.echo(f"also: {others}")


async def _stats(wanted: Filter, signatures: bool) -> AuditFigures:
    async with ledger() as bus:
        taken = records(bus, await everybody(bus), await settled(bus, wanted), Tally(), check=signatures)
        async with aclosing(taken) as found:
            return await figures(found, checked=signatures)


def _table(found: AuditFigures) -> Table:
    wide = out().width >= WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("caller", "call", "outcome"):
        table.add_column(name, no_wrap=True, min_width=LEAST.get(name))
    for name in ("calls", "p50 ms", "p95 ms", *(("max ms", "asked KB", "answered KB") if wide else ())):
        table.add_column(name, no_wrap=True, justify="right", min_width=len(name))
    for each in found.calls:
        times = (each.p50_ms, each.p95_ms, *((each.max_ms,) if wide else ()))
        sizes = (each.request_bytes, each.result_bytes) if wide else ()
        table.add_row(
            Text(each.caller),
            Text(line(f"{each.server}.{each.tool}", 60)),
            Text(each.outcome, OUTCOMES.get(each.outcome, "")),
            f"{each.calls:,}",
            *("" if took is None else f"{took:,.1f}" for took in times),
            *(f"{size / 1024:,.0f}" for size in sizes),
        )
    return table
