"""`podium serve`: one specialist for any MCP host."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.serve_alone import serve_alone


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--stdio", is_flag=True, required=True, help="Serve on standard input and output.")
@click.option(
    "--repo",
    type=click.Path(path_type=Path),
    default=Path("."),
    show_default="this folder",
    help="The checkout it works on.",
)
def serve(name: str, stdio: bool, repo: Path) -> None:
    """Serve one of Podium's own specialists alone, without crew and ledger, to an MCP host.

    It works on copies of the checkout, taken anew at each call: nothing there is changed.

    \b
    Examples:
      podium serve test_runner --stdio --repo ~/shop
      podium serve repository --stdio
    """
    serve_alone(name, repo)
