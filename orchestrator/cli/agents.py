"""`podium agents`: the crew as the registry sees it."""

from __future__ import annotations

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bus.registry import cards
from contracts.base import utc_now
from contracts.manifest import Card
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.text import duration, line


@click.command()
@json_option
def agents(as_json: bool) -> None:
    """Show the crew as the registry sees it: tools, scopes, how each is confined.

    \b
    Examples:
      podium agents
      podium agents --json
    """
    found = start(_cards)
    if as_json:
        document(found)
    else:
        out().print(Group(*(_card(card) for card in found)))


async def _cards() -> tuple[Card, ...]:
    async with ledger() as bus:
        return await cards(bus)


def _card(card: Card) -> Group:
    grid = Table.grid(padding=(0, 1, 0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    tools = ", ".join(spec.name for spec in card.tools)
    grid.add_row("tools", Text(tools))
    grid.add_row("holds", Text(", ".join(card.granted_scopes) or "nothing"))
    if card.granted_calls:
        grid.add_row("may call", Text(", ".join(card.granted_calls)))
    grid.add_row("confined", Text(line(card.confinement)))
    if card.sandbox:
        grid.add_row("sandbox", Text(card.sandbox))
    if card.refuses:
        grid.add_row("calls", Text(f"are refused: {line(card.refuses)}", style="yellow"))
    up = duration((utc_now() - card.started_at).total_seconds())
    grid.add_row("alive", Text(f"for {up}, process {card.pid}, tools {card.tools_sha256[:12]}"))
    head = Text.assemble((card.manifest.name, "bold cyan"), f"  {line(card.manifest.description)}")
    return Group(head, grid)
