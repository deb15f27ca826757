"""`podium up`, `down`, `status`: broker and crew between commands."""

from __future__ import annotations

import os

import click
from rich.text import Text

from bus.connect import URL_ENV
from contracts.base import utc_now
from orchestrator import house as houses
from orchestrator.cli.going_on import go_on_first, left_here, resume_option
from orchestrator.cli.shared import document, json_option, out, start
from orchestrator.cli.trouble import trouble
from orchestrator.house import House, state_dir
from orchestrator.nodes import NodeView, view
from orchestrator.text import duration


@click.command()
@click.option(
    "--durability",
    type=click.Choice(["process", "disk"]),
    help="What an acknowledged write survives: the death of any process (default), or a power cut too.",
)
@click.option(
    "--cluster",
    type=click.Choice(["1", "3", "5"]),
    help="How many brokers keep the ledger together, all on this machine. It stays so for this state directory.",
)
@resume_option
@json_option
def up(durability: str | None, cluster: str | None, resume_left: bool, as_json: bool) -> None:
    """Keep broker and crew running between commands.

    Without it every command starts what it needs and stops it again, so this is for speed only. Runs that were
    interrupted are gone on with, if you say so or give --resume; those that wait at a gate are named. A cluster of
    brokers is for trying out what docs/scaling.md says: each node may be killed in mid-run.

    \b
    Examples:
      podium up
      podium up --resume
      podium up --durability disk
      podium up --cluster 3
      podium down
    """
    if cluster and os.environ.get(URL_ENV):
        raise trouble(f"{URL_ENV} names brokers that are there already; --cluster would start others.", code=2)
    wanted = int(cluster or 0)
    durable = "disk" if durability == "disk" else "process" if durability else None
    found = start(houses.keep, state_dir(), durable, wanted)
    if durability and found.durability != durability:
        click.echo(
            f"It was running already with durability {found.durability}; `podium down` first to change that.", err=True
        )
    if wanted and wanted != max(1, len(found.nodes)):
        click.echo("It was running already with another number of brokers; `podium down` first.", err=True)
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


def _nodes(found: House | None) -> tuple[NodeView, ...]:
    return start(view, state_dir(), found) if found else ()


def _document(found: House | None, more: dict[str, object]) -> None:
    house = found.model_dump(mode="json") if found else None
    nodes = [node.model_dump(mode="json") for node in _nodes(found)]
    document({"running": found is not None, "state": str(state_dir()), "house": house, "nodes": nodes, **more})


def _tell(found: House | None) -> None:
    state, nodes = state_dir(), _nodes(found)
    if found is None:
        out().print(Text(f"Not running. Commands start what they need. State: {state}"), soft_wrap=True)
        return
    since = duration((utc_now() - found.started_at).total_seconds())
    stays = "stays until `podium down`" if found.keep else "ends with the command that uses it"
    out().print(Text(f"Running for {since} (process {found.pid}), {stays}."), soft_wrap=True)
    out().print(Text(f"broker      {found.url}\ndurability  {found.durability}\nstate       {state}"), soft_wrap=True)
    for node in nodes:
        out().print(Text(_line(node)), soft_wrap=True)


def _line(node: NodeView) -> str:
    again = f", started again {node.restarts} ×" if node.restarts else ""
    process = f", process {node.pid}" if node.pid else ""
    return f"{node.name:<12}{node.state}, leads {len(node.leads)} streams{process}{again}"
