"""`podium up`, `down`, `status`: broker and crew between commands."""

from __future__ import annotations

import click
from rich.text import Text

from contracts.base import utc_now
from orchestrator import house as houses
from orchestrator.cli.shared import document, json_option, out, start
from orchestrator.house import House, state_dir
from orchestrator.text import duration


@click.command()
@click.option(
    "--durability",
    type=click.Choice(["process", "disk"]),
    help="What an acknowledged write survives: the death of any process (default), or a power cut too.",
)
@json_option
def up(durability: str | None, as_json: bool) -> None:
    """Keep broker and crew running between commands.

    Without it every command starts what it needs and stops it again, so this is for speed only.

    \b
    Examples:
      podium up
      podium up --durability disk
      podium down
    """
    found = start(houses.keep, state_dir(), "disk" if durability == "disk" else "process" if durability else None)
    if durability and found.durability != durability:
        click.echo(
            f"It was running already with durability {found.durability}; `podium down` first to change that.", err=True
        )
    _tell(found, as_json)


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
    _tell(start(houses.status, state_dir()), as_json)


def _tell(found: House | None, as_json: bool) -> None:
    state = state_dir()
    if as_json:
        house = found.model_dump(mode="json") if found else None
        document({"running": found is not None, "state": str(state), "house": house})
        return
    if found is None:
        out().print(Text(f"Not running. Commands start what they need. State: {state}"), soft_wrap=True)
        return
    since = duration((utc_now() - found.started_at).total_seconds())
    stays = "stays until `podium down`" if found.keep else "ends with the command that uses it"
    out().print(Text(f"Running for {since} (process {found.pid}), {stays}."), soft_wrap=True)
    out().print(Text(f"broker      {found.url}\ndurability  {found.durability}\nstate       {state}"), soft_wrap=True)
