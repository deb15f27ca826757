"""`podium gc`: remove what is kept of old runs beside the ledger."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import click

from contracts.run import Pruned
from orchestrator import retention
from orchestrator.cli.shared import document, json_option, ledger, start, who
from orchestrator.cli.stats import Since
from orchestrator.cli.trouble import trouble
from orchestrator.clock import apart_from_broker
from orchestrator.house import state_dir
from orchestrator.runs import list_runs
from orchestrator.seals import ORCHESTRATOR
from orchestrator.text import count

OLDER_THAN = "30d"


@click.command()
@click.option(
    "--older-than", type=Since(), show_default=OLDER_THAN, help="Runs that ended so long ago: 24h, 30d, 8w, or a date."
)
@click.option("--keep", type=click.IntRange(0), default=10, show_default=True, help="Keep the newest, however old.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def gc(older_than: datetime | None, keep: int, dry_run: bool, as_json: bool) -> None:
    """Remove what is kept of old runs beside the ledger: bundles, work folders, logs of hosted runs.

    Only of runs that have ended. The ledger stays whole, and gets a note for each run of what was removed, by whom,
    and its digests; `podium show`, `audit log` and `replay` work as before. Branches in your repositories stay. Where
    this machine's clock is not the broker's, nothing is removed.

    \b
    Examples:
      podium gc --dry-run
      podium gc --older-than 8w --keep 50
    """
    removed = start(partial(_gc, older_than or Since().convert(OLDER_THAN, None, None), keep, dry_run))
    total = sum(each.bytes for of_run in removed.values() for each in of_run)
    if as_json:
        runs = [
            {"run": run, "removed": [each.model_dump(mode="json") for each in of_run]}
            for run, of_run in removed.items()
        ]
        document({"dry_run": dry_run, "bytes": total, "runs": runs})
        return
    for run, of_run in removed.items():
        click.echo(f"{run}  {sum(each.bytes for each in of_run):>12,} bytes")
    would = "would be removed" if dry_run else "removed"
    click.echo(f"{total:,} bytes of {count(len(removed), 'run')} {would}; the ledger is as it was.")


async def _gc(ended_before: datetime, keep: int, dry_run: bool) -> dict[str, tuple[Pruned, ...]]:
    state, removed = state_dir(), dict[str, tuple[Pruned, ...]]()
    policy = f"ended before {ended_before:%Y-%m-%d %H:%M} UTC, not among the newest {keep}"
    async with ledger(ORCHESTRATOR) as bus:
        if apart := await apart_from_broker(bus):
            raise trouble(
                f"This machine's clock is {apart.total_seconds():+,.0f} s from the broker's, so that nobody can say "
                "how old a run is.",
                "Set the one that is wrong. Nothing was removed.",
            )
        for run in retention.due((await list_runs(bus)).runs, ended_before, keep):
            if not (there := retention.kept(state, run.run)):
                continue
            if not dry_run:
                there = (await retention.prune(bus, state, run.run, by=who(), policy=policy)).removed
            removed[run.run] = there
    return removed
