"""`podium up`, `down`, `status`: broker and crew between commands."""

from __future__ import annotations

import click
from rich.text import Text

from contracts.base import utc_now
from orchestrator import house as houses
from orchestrator.cli.going_on import go_on_first, left_here, resume_option
from orchestrator.cli.shared import document, json_option, out, start
from orchestrator.house import House, state_dir
from orchestrator.text import duration


@click.command()
@click.option(
    "--durability",
    type=click.Choice(["process", "disk"]),
    help="What an acknowledged write survives: the death of any process (default), or a power cut too.",
)
@resume_option
@json_option
def up(durability: str | None, resume_left: bool, as_json: bool) -> None:
    """Keep broker and crew running between commands.

    Without it every command starts what it needs and stops it again, so this is for speed only. Runs that were
    interrupted are gone on with, if you say so or give --resume; those that wait at a gate are named.

    \b
    Examples:
      podium up
      podium up --resume
      podium up --durability disk
      podium down
    """
    found = start(houses.keep, state_dir(), "disk" if durability == "disk" else "process" if durability else None)
    if durability and found.durability != durability:
        click.echo(
            f"It was running already with durability {found.durability}; `podium down` first to change that.", err=True
        )
    left = left_here()
    if as_json:
        _document(found, {"unfinished": [each.model_dump(mode="json") for each in left]})
    else:
        _tell(found)
    go_on_first(left, unasked=resume_left, quiet=as_json, default=True)


@click.command()
@json_option
def down(as_json: bool) -> None:
    """Stop broker and crew.

    Runs that are under way are not lost: they stand in the ledger and can be resumed.

    \b
    Examples:
      podium down
    """
    stopped = start(houses.down, state_dir())
    if as_json:
        document({"stopped": stopped})
    else:
        click.echo("Broker and crew are stopped." if stopped else "Nothing was running.")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Say whether broker and crew are running, and where their state is.

    \b
    Examples:
      podium status
      podium status --json
    """
    found = start(houses.status, state_dir())
    if as_json:
        _document(found, {})
    else:
        _tell(found)


def _document(found: House | None, more: dict[str, object]) -> None:
    house = found.model_dump(mode="json") if found else None
    document({"running": found is not None, "state": str(state_dir()), "house": house, **more})


def _tell(found: House | None) -> None:
    state = state_dir()
    if found is None:
        out().print(Text(f"Not running. Commands start what they need. State: {state}"), soft_wrap=True)
        return
    since = duration((utc_now() - found.started_at).total_seconds())
    stays = "stays until `podium down`" if found.keep else "ends with the command that uses it"
    out().print(Text(f"Running for {since} (process {found.pid}), {stays}."), soft_wrap=True)
    out().print(Text(f"broker      {found.url}\ndurability  {found.durability}\nstate       {state}"), soft_wrap=True)
