"""`podium mcp`: the crew as an MCP server, for any host."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from contracts.terms import GATEWAY, Terms
from orchestrator.cli.http_settings import DEFAULT_PORT, http_settings
from orchestrator.cli.mcp_install import install
from orchestrator.cli.shared import a_name, json_option, start


def _names(context: click.Context, parameter: click.Parameter, value: str) -> frozenset[str]:
    return frozenset(a_name(context, parameter, each.strip()) for each in value.split(",") if each.strip())


@click.group(invoke_without_command=True)
@click.option(
    "--host",
    default="host",
    show_default=True,
    callback=a_name,
    metavar="NAME",
    help="Under which name the host is granted.",
)
@click.option(
    "--only",
    default="",
    callback=_names,
    metavar="SERVER,…",
    help="Offer these servers' tools only; `podium` for runs.",
)
@click.option("--read-only", is_flag=True, help="Offer only tools that change nothing.")
@click.option("--as-is", is_flag=True, help="Offer the one server of --only as it is: its names, prompts, resources.")
@click.option("--http", is_flag=True, help="Over Streamable HTTP instead; the options below are for that.")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="PORT", help=f"{DEFAULT_PORT} without it; 0: a free one."
)
@click.option("--bind", metavar="ADDRESS", help="Listen there; without it, this machine only is served.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Answer to this name, too; may be repeated.")
@click.option("--no-auth", is_flag=True, help="Let every program of this machine in.")
@click.option(
    "--token-file", type=click.Path(dir_okay=False, path_type=Path), help="Where the token stands, or is put."
)
@click.option("--issuer", metavar="URL", help="Let in who has an access token of this authorization server.")
@click.option("--audience", metavar="URL", help="For whom its tokens have to be: this server's own URL.")
@click.option("--jwks", metavar="URL|FILE", help="Where its public keys are, if its metadata do not say.")
@json_option
@click.pass_context
def mcp(
    ctx: click.Context,
    host: str,
    only: frozenset[str],
    read_only: bool,
    as_is: bool,
    http: bool,
    **asked: Any,
) -> None:
    """Offer the crew's tools, and runs of its workflows, to an MCP host, over standard input and output.

    A host starts this by itself once `podium mcp install HOST` has told it to. Its calls are made under an identity
    of its own, with what the crew file grants it ([hosts.NAME]), and are kept in the ledger.

    With --http many clients share that identity. Each needs a token: the one that is made here at the first start, or
    one of --issuer, whose scopes say what it covers (podium:read, podium:call, podium:call:SERVER).

    \b
    Examples:
      podium mcp
      podium mcp --host cursor --only test_runner,static_analyzer --read-only
      podium mcp --http --port 8765
      podium mcp --http --issuer https://login.example.com --audience https://podium.example.com/mcp
    """
    if ctx.invoked_subcommand is not None:
        return
    terms = Terms(only=only, read_only=read_only)
    if as_is and (len(terms.only) != 1 or read_only or GATEWAY in terms.only):
        raise click.UsageError("--as-is takes --only with one server, and nothing away from it.")
    given = {name: value for name, value in asked.items() if value not in (None, False, ())}
    if given and not http:
        raise click.UsageError(f"--{next(iter(given)).removeprefix('as_').replace('_', '-')} is for --http.")
    # Imported here, as `install` needs nothing of the SDK.
    if not http:
        from orchestrator.cli.mcp_gateway import serve_stdio

        start(serve_stdio, host, terms, as_is=as_is)
        return
    as_json = given.pop("as_json", False)
    settings = http_settings(**given)
    from orchestrator.cli.mcp_http import serve_http

    with suppress(KeyboardInterrupt):  # that is how it ends
        start(serve_http, host, terms, settings, as_is=as_is, as_json=as_json)


mcp.add_command(install)
