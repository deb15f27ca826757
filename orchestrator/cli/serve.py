"""`podium serve`: an agent of one's own, or any MCP server, joins the crew; or one specialist serves a host alone, or
the crew from another machine.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import anyio
import click
from rich.table import Table
from rich.text import Text

from bus.bus import Bus
from bus.connect import connect
from bus.errors import BusError
from bus.registry import cards
from contracts.base import utc_now
from contracts.config import Joining
from contracts.manifest import Card
from orchestrator.cli.joining import joining
from orchestrator.cli.serve_alone import serve_alone
from orchestrator.cli.serve_away import serve_away
from orchestrator.cli.shared import AUDITOR, document, json_option, out, start, who
from orchestrator.cli.trouble import trouble
from orchestrator.config import crew_file
from orchestrator.house import house, joined, reload, state_dir
from orchestrator.pins import write_pin
from orchestrator.text import line

_THERE_S = 120.0
_LOOK_S = 1.0


@click.command()
@click.argument("what", nargs=-1, metavar="[FILE.py | -- COMMAND … | NAME --stdio | NAME --away]")
@click.option("--name", default="", metavar="NAME", help="Under which name it is called; an agent's file has its own.")
@click.option("--url", default="", metavar="URL", help="A server over Streamable HTTP, instead of a command.")
@click.option("--grant", multiple=True, metavar="SCOPE", help="What it may do, e.g. files:write:DIR; may be repeated.")
@click.option("--env", multiple=True, metavar="NAME[=VALUE]", help="An environment variable for the command.")
@click.option("--approve", is_flag=True, help="Approve the tools it offers now, so that calls are answered.")
@click.option("--stdio", is_flag=True, help="Serve NAME, one of Podium's own, alone on standard input and output.")
@click.option(
    "--repo", type=click.Path(path_type=Path), metavar="DIR", help="With --stdio: on this checkout, not here."
)
@click.option("--away", is_flag=True, help="Serve NAME, one of Podium's own, for the crew at PODIUM_NATS_URL.")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="With --away: NAME's private key.")
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --away: runs projects' tests here, not the interpreter they name.",
)
@json_option
def serve(
    what: tuple[str, ...],
    name: str,
    url: str,
    grant: tuple[str, ...],
    env: tuple[str, ...],
    approve: bool,
    stdio: bool,
    repo: Path | None,
    away: bool,
    key: Path | None,
    python: Path | None,
    as_json: bool,
) -> None:
    """Have an agent of your own, or any MCP server, in the crew for as long as this runs.

    It holds what --grant says and nothing else: files:read:PATH, files:write:PATH, net:connect:PORT; an agent's file
    also SERVER.TOOL. Calls are answered once you have approved its tools.

    With --stdio an MCP host gets one of Podium's own specialists, without broker, crew and ledger. It works on copies
    of a checkout, as it is at each call.

    With --away one of them works on this machine for a crew on another, beside the one there or in its place. The runs'
    trees come over the bus. `podium agents key`, there, writes the key.

    \b
    Examples:
      podium serve --name files --grant files:write:docs -- mcp-server-filesystem "$PWD/docs"
      podium serve --name remote --url https://example.com/mcp
      podium serve agents/doc_writer.py --grant repository.list --grant repository.read
      podium serve test_runner --stdio --repo ~/shop
      podium serve test_runner --away --key test_runner.key
    """
    others = {"--name": name, "--url": url, "--grant": grant, "--env": env, "--approve": approve, "--json": as_json}
    of_stdio, of_away = {"--repo": repo}, {"--key": key, "--python": python}
    if stdio:
        serve_alone(what, repo or Path(), {**others, "--away": away, **of_away})
    if away:
        serve_away(what, key, python, {**others, **of_stdio})
    for way, options in (("--stdio", of_stdio), ("--away", of_away)):
        if given := ", ".join(option for option, value in options.items() if value):
            raise trouble(f"{given} is for {way}.", "`podium serve --help` has examples.", code=2)
    who_joins = joining(what, name, url, grant, env)
    with suppress(KeyboardInterrupt):  # that is how it ends
        start(_serve, who_joins, approve, as_json)
    if not as_json:
        click.echo(f"{who_joins.name} has left the crew.")


async def _serve(who_joins: Joining, approve: bool, as_json: bool) -> None:
    state, name, now = state_dir(), who_joins.name, utc_now()
    async with house(state) as found, joined(state, who_joins), connect(state, found.url, AUDITOR) as bus:
        card = await _card(bus, name, now)
        if approve and card.refuses:
            now = utc_now()
            write_pin(crew_file(), card, who())
            await reload(state)
            card = await _card(bus, name, now)
        if as_json:
            document(card)
            await anyio.sleep_forever()
        out().print(_shown(card))
        click.echo("Ctrl-C ends it.", err=True)
        await _follow(bus, card)


async def _card(bus: Bus, name: str, since: datetime) -> Card:
    """Of the process that was started after `since`: an earlier one's may still be there for seconds."""
    with anyio.move_on_after(_THERE_S):
        while True:
            for card in await cards(bus):
                if card.manifest.name == name and card.started_at > since:
                    return card
            await anyio.sleep(0.05)
    raise trouble(f"{name} joined and does not answer.", "The house's log has the reason: `podium status` says where.")


async def _follow(bus: Bus, card: Card) -> None:
    """Say what changes."""
    while True:
        await anyio.sleep(_LOOK_S)
        with suppress(BusError):  # it looks again
            mine = [each for each in await cards(bus) if each.manifest.name == card.manifest.name]
            now = max([card, *mine], key=lambda each: each.started_at)
            changed = [each for each in mine if each.started_at == now.started_at and _said(each) != _said(card)]
            if changed:
                card = changed[0]
                out().print(_shown(card))


def _said(card: Card) -> tuple[str, str]:
    return card.tools_sha256, card.refuses


def _shown(card: Card) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(style="bold cyan", no_wrap=True)
    grid.add_column()
    grid.add_row(card.manifest.name, Text(line(card.manifest.description)))
    for spec in card.tools:
        grid.add_row(f"  {line(spec.name)}", Text(line(spec.description or spec.title, 100)))
    grid.add_row("  holds", Text(", ".join((*card.granted_scopes, *card.granted_calls)) or "nothing"))
    grid.add_row("  confined", Text(line(card.confinement)))
    if card.refuses:
        way_out = f"`podium agents approve {card.manifest.name}`, or --approve."
        grid.add_row("  calls", Text(f"are refused: {line(card.refuses, 1000)}. {way_out}", style="yellow"))
    return grid
