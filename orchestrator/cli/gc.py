"""`podium gc`: remove what is kept of old runs beside the ledger's messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import click

from bus.grants import OPERATOR
from contracts.run import GivenUp, Pruned
from orchestrator import retention
from orchestrator.auditing.reading import everybody
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
    """Remove what is kept of old runs: bundles, work folders, logs of hosted runs, and large bodies of calls.

    Only of runs that have ended. No message leaves the ledger, and it gets a note for each run of what was removed, by
    whom, and its digests. So it verifies as before, and `podium show` and `audit log` work as before; a run whose calls
    or answers were larger than a message (960 KiB) cannot be replayed without them. Branches in your repositories
    stay. Where this machine's clock is not the broker's, nothing is removed.

    \b
    Examples:
      podium gc --dry-run
      podium gc --older-than 8w --keep 50
    """
    removed = start(partial(_gc, older_than or Since().convert(OLDER_THAN, None, None), keep, dry_run))
    total = sum(of_run.bytes for of_run in removed.values())
    if as_json:
        runs = [
            {
                "run": run,
                "removed": [each.model_dump(mode="json") for each in of_run.files],
                "bodies": [each.model_dump(mode="json") for each in of_run.bodies],
            }
            for run, of_run in removed.items()
        ]
        document({"dry_run": dry_run, "bytes": total, "runs": runs})
        return
    for run, of_run in removed.items():
        click.echo(f"{run}  {of_run.bytes:>12,} bytes")
    would = "would be removed" if dry_run else "removed"
    click.echo(f"{total:,} bytes of {count(len(removed), 'run')} {would}; every message of the ledger stands.")


@dataclass(frozen=True)
class _Removed:
    """Of one run."""

    files: tuple[Pruned, ...]
    bodies: tuple[GivenUp, ...]

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in (*self.files, *self.bodies))


async def _gc(ended_before: datetime, keep: int, dry_run: bool) -> dict[str, _Removed]:
    state, removed = state_dir(), dict[str, _Removed]()
    policy = f"ended before {ended_before:%Y-%m-%d %H:%M} UTC, not among the newest {keep}"
    async with ledger(ORCHESTRATOR) as bus, ledger(OPERATOR) as operator:
        if apart := await apart_from_broker(bus):
            raise trouble(
                f"This machine's clock is {apart.total_seconds():+,.0f} s from the broker's, so that nobody can say "
                "how old a run is.",
                "Set the one that is wrong. Nothing was removed.",
            )
        due = retention.due((await list_runs(bus)).runs, ended_before, keep)
        bodies = await retention.large_bodies(operator, await everybody(operator)) if due else {}
        for run in due:
            there = _Removed(retention.kept(state, run.run), bodies.get(run.run, ()))
            if not (there.files or there.bodies):
                continue
            if not dry_run:
                event = await retention.prune(bus, operator, state, run.run, there.bodies, by=who(), policy=policy)
                there = _Removed(event.removed, event.bodies)
            removed[run.run] = there
    return removed
