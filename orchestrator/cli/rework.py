"""`podium rework`: how far merged code is from what was handed over."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from rich.console import Group
from rich.text import Text

from contracts.bundle import Bundle
from contracts.run import ValueRecordedEvent
from contracts.state import RunState
from orchestrator import intake
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, run_argument, start
from orchestrator.cli.trouble import trouble
from orchestrator.cli.wishes import top_of
from orchestrator.rework import Rework
from orchestrator.rework import rework as compare
from orchestrator.runs import events_of
from orchestrator.state import fold
from orchestrator.text import line

STYLES = {"none": "bold green", "minor": "bold yellow", "major": "bold red"}


@click.command()
@run_argument
@click.option("--merged", required=True, metavar="COMMIT", help="The commit that brought the change in.")
@click.option(
    "--repo",
    type=click.Path(path_type=Path),
    show_default="the run's",
    help="A checkout that has the commit; it is only read.",
)
@json_option
def rework(run: str, merged: str, repo: Path | None, as_json: bool) -> None:
    """Say how much people changed in a run's result before it was merged: none, minor or major.

    In the files of the patch, lines that differ between what was handed over and COMMIT, over the lines the patch
    changed. Up to a quarter is minor. Name the commit that brought the change in: later work counts, too.

    \b
    Examples:
      podium rework last --merged main
      podium rework r-7k --merged 4f2a91c --repo ~/shop --json
    """
    state, bundle = start(partial(_handed_over, run))
    try:
        found = compare(state, bundle, top_of(repo or Path(state.task.repo)), merged)
    except intake.IntakeError as error:
        raise trouble(error.message, error.way_out) from error
    if as_json:
        document(found)
    else:
        out().print(draw(found), soft_wrap=True)


async def _handed_over(name: str) -> tuple[RunState, Bundle | None]:
    async with ledger() as bus:
        events = await events_of(bus, await find_run(bus, name))
    values = {event.what.step: event.what.value for event in events if isinstance(event.what, ValueRecordedEvent)}
    made = values.get("finalize/bundle")
    return fold(events), Bundle.model_validate(made) if made else None


def draw(found: Rework) -> Group:
    """The degree on a terminal, and where it comes from."""
    said = f"{found.differing_lines:,} lines differ, of {found.patch_lines:,} the patch changed ({found.share:.0%})"
    rows = [Text.assemble((f"{found.degree}  ", STYLES[found.degree]), f"rework of {found.run}: {said}")]
    rows += [
        Text(f"  {each.differing_lines:>5,} of {each.patch_lines:,}  {line(each.path)}", "dim") for each in found.files
    ]
    return Group(*rows)
