"""`python -m tests.conformance.server --http PORT` or `--stdio`."""

from __future__ import annotations

import anyio
import click
from mcp.server.stdio import stdio_server

from tests.conformance.server.build import conformance_server
from tests.conformance.server.http import serve_http


async def _serve_stdio() -> None:
    server = conformance_server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


@click.command()
@click.option("--http", "port", type=int, help="Serve Streamable HTTP on this port of loopback; 0 takes a free one.")
@click.option("--stdio", is_flag=True, help="Serve standard input and output.")
def main(port: int | None, stdio: bool) -> None:
    """Serve what the official conformance suite asks for."""
    if stdio == (port is not None):
        raise click.UsageError("say either --http PORT or --stdio")
    if port is None:
        anyio.run(_serve_stdio)
    else:
        serve_http(conformance_server(), port)


if __name__ == "__main__":
    main()
