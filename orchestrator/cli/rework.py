"""`podium rework`: how far merged code is from what was handed over."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from anyio import to_thread
from rich.console import Group
from rich.text import Text

from contracts.bundle import Bundle
from contracts.rework import FileRework, Rework
from contracts.run import ValueRecordedEvent
from orchestrator import intake
from orchestrator import rework as reworks
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, run_argument, start
from orchestrator.cli.trouble import trouble
from orchestrator.cli.wishes import top_of
from orchestrator.runs import events_of
from orchestrator.seals import ORCHESTRATOR
from orchestrator.state import fold
from orchestrator.text import count, line

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

    Of the lines that were handed over, it counts those that are gone or altered in COMMIT, taken back, or split by
    lines of others; up to a quarter is minor. Lines that were only moved or formatted otherwise are minor, however
    many. What else was changed, even in the same files, does not count, and it makes no difference whether the branch
    was merged, squashed or rebased. What is found is noted in the ledger, where `podium stats` finds it.

    \b
    Examples:
      podium rework last --merged main
      podium rework r-7k --merged 4f2a91c --repo ~/shop --json
    """
    try:
        found = start(partial(_measured, run, repo, merged))
    except intake.IntakeError as error:
        raise trouble(error.message, error.way_out) from error
    if as_json:
        document(found)
    else:
        out().print(draw(found), soft_wrap=True)


async def _measured(name: str, repo: Path | None, merged: str) -> Rework:
    async with ledger(ORCHESTRATOR) as bus:
        events = await events_of(bus, await find_run(bus, name))
        state = fold(events)
        values = {event.what.step: event.what.value for event in events if isinstance(event.what, ValueRecordedEvent)}
        made = values.get("finalize/bundle")
        bundle = Bundle.model_validate(made) if made else None
        checkout = top_of(repo or Path(state.task.repo))
        found = await to_thread.run_sync(reworks.rework, state, bundle, checkout, merged)
        await reworks.note(bus, found)
        return found


def draw(found: Rework) -> Group:
    """The degree on a terminal, and where it comes from."""
    said = f"{found.reworked_lines:,} of {count(found.handed_lines, 'line')} reworked ({found.share:.0%})"
    if found.rearranged_lines:
        said += f", {found.rearranged_lines:,} moved or formatted otherwise"
    head = f"{found.run} in {found.merged[:12]}: {said}"
    rows = [Text.assemble((f"{found.degree}  ", STYLES[found.degree]), head)]
    if found.reworked_lines == found.handed_lines:
        rows.append(Text("  Is it the commit that brought the change in?", "dim"))
    return Group(*rows, *(Text(f"  {_of_file(each)}", "dim") for each in found.files))


def _of_file(each: FileRework) -> str:
    name = line(each.path)
    if not each.merged_as:
        name += " (not there)"
    elif each.merged_as != each.path:
        name += f" (now {line(each.merged_as)})"
    return f"{each.reworked_lines:>5,} of {each.handed_lines:,}  {name}"
