"""What a host is offered: names that tell which server a tool belongs to, and what its grant covers. Pure."""

from __future__ import annotations

from collections.abc import Set

SEPARATOR = "__"
"""Between server and tool; no server's name has it, so that the first one tells."""


def exposed(server: str, tool: str) -> str:
    """Under which name a host finds a server's tool."""
    return f"{server}{SEPARATOR}{tool}"


def parted(name: str) -> tuple[str, str]:
    """(server, tool) of a name that `exposed` gave; without a separator, no server."""
    server, found, tool = name.partition(SEPARATOR)
    return (server, tool) if found else ("", name)


def granted(calls: Set[str], server: str, tool: str) -> bool:
    """Whether `calls` (`server.tool`, `server.*`) cover a tool."""
    return not {f"{server}.{tool}", f"{server}.*"}.isdisjoint(calls)
