"""`podium mcp`: the crew as an MCP server, for any host."""

from __future__ import annotations

import click

from orchestrator.cli.mcp_install import install
from orchestrator.cli.shared import start
from orchestrator.gateway.offer import Terms


@click.group(invoke_without_command=True)
@click.option("--host", default="host", show_default=True, metavar="NAME", help="Under which name the host is granted.")
@click.option("--only", metavar="SERVER,…", help="Offer these servers' tools only; `podium` for runs.")
@click.option("--read-only", is_flag=True, help="Offer only tools that change nothing.")
@click.pass_context
def mcp(ctx: click.Context, host: str, only: str | None, read_only: bool) -> None:
    """Offer the crew's tools, and runs of its workflows, to an MCP host, over standard input and output.

    A host starts this by itself once `podium mcp install HOST` has told it to. Its calls are made under an identity
    of its own, with what the crew file grants it ([hosts.NAME]), and are kept in the ledger.

    \b
    Examples:
      podium mcp
      podium mcp --host cursor --only test_runner,static_analyzer --read-only
    """
    if ctx.invoked_subcommand is None:
        from orchestrator.cli.mcp_gateway import serve_stdio  # here, as `install` needs nothing of the SDK

        start(serve_stdio, host, Terms(frozenset(filter(None, (only or "").split(","))), read_only))


mcp.add_command(install)
