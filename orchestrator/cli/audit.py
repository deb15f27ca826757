"""`podium audit`: the ledger, as an auditor reads it."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from contracts.ledger import CallRecord
from orchestrator import recording
from orchestrator.audit import Audit
from orchestrator.audit import audit as read_audit
from orchestrator.cli.proof import export, key, verify
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.text import count, line

WIDE = 120
"""Columns from which on digests are shown; `--json` has them in full always."""
OUTCOMES = {"ok": "green", "failed": "red", "denied": "red", "open": "yellow", "pruned": "dim"}


@click.group()
def audit() -> None:
    """Read the ledger: who called what, with what result.

    \b
    Examples:
      podium audit log --run last
      podium audit export --run last -o run.jsonl
      podium audit verify run.jsonl
    """


@audit.command()
@click.option("--run", default="", metavar="RUN", help="Only this run: a name, its beginning, or `last`.")
@json_option
def log(run: str, as_json: bool) -> None:
    """List every call, in order: caller, server, tool, duration, outcome, digests.

    Caller and server are what the broker checked, not what somebody wrote. Parameters and results are
    named by their sha256.

    \b
    Examples:
      podium audit log --run last
      podium audit log --run r-7k --json
    """
    found = start(_log, run)
    if as_json:
        document(found.calls)
    else:
        out().print(_table(found.calls, out().width))
    if found.foreign:
        were = f"{count(found.foreign, 'stored message')} left out: not sealed by whom the subject names, or of no call"
        click.secho(were, err=True, fg="red")


async def _log(name: str) -> Audit:
    async with ledger() as bus:
        run = await find_run(bus, name) if name else ""
        return await read_audit(bus, await recording.readable(bus), run)


def _table(records: tuple[CallRecord, ...], width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    digests = ("call id", "params", "result") if width >= WIDE else ()
    for name in ("time", "caller", "call", "took", "outcome", *digests, "step"):
        table.add_column(name, no_wrap=True, justify="right" if name == "took" else "left")
    for each in records:
        took = "" if each.duration_ms is None else f"{each.duration_ms:,.0f} ms"
        why = "" if each.failure is None else f": {each.failure.message}"
        told = each.outcome + why if each.sealed else f"not signed by its caller; {each.outcome}{why}"
        hashes = (each.call_id[:8], (each.params_sha256 or "")[:8], (each.result_sha256 or "")[:8]) if digests else ()
        table.add_row(
            Text(f"{each.called_at.astimezone():%H:%M:%S}"),
            Text(each.caller + (f" for {line(each.subject, 40)}" if each.subject else "")),
            Text(f"{each.server}.{each.tool}"),
            Text(took),
            Text(line(told, 60), OUTCOMES[each.outcome] if each.sealed else "red"),
            *(Text(digest, "dim") for digest in hashes),
            Text(line(each.step, 40), "dim"),
        )
    return table


for command in (export, verify, key):
    audit.add_command(command)
