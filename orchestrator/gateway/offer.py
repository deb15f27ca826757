"""What a host is offered: names that tell which server a tool belongs to, and what its grant covers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from bus.wire import JsonObject, as_object
from contracts.config import GATEWAY, HostConfig
from contracts.manifest import Card

SEPARATOR = "__"
"""Between server and tool; no server's name has it, so that the first one tells."""


def exposed(server: str, tool: str) -> str:
    """Under which name a host finds a server's tool."""
    return f"{server}{SEPARATOR}{tool}"


def parted(name: str) -> tuple[str, str]:
    """(server, tool) of a name that `exposed` gave; without a separator, no server."""
    server, found, tool = name.partition(SEPARATOR)
    return (server, tool) if found else ("", name)


@dataclass(frozen=True)
class Terms:
    """What a person wants a host to see of what it was granted."""

    only: frozenset[str] = frozenset()
    """Servers, and `podium` for the gateway's own tools; none means all."""
    read_only: bool = False

    def keeps(self, server: str) -> bool:
        """Whether `server` is to be seen at all."""
        return not self.only or server in self.only

    def takes(self, server: str, definition: JsonObject) -> bool:
        """Whether a tool, as its server defines it, is to be seen."""
        return self.keeps(server) and (is_read_only(definition) or not self.read_only)

    @property
    def decides(self) -> bool:
        """Whether people may answer gates through the host."""
        return self.keeps(GATEWAY) and not self.read_only

    def calls(self, crew: Iterable[Card], host: HostConfig) -> tuple[str, ...] | None:
        """What of its grant the host keeps, for the broker to enforce; None means all of it.

        Servers that were named are asked for even where they were not granted, so that this is said.
        """
        if not self.only and not self.read_only:
            return None
        cards = {card.manifest.name: card for card in crew if self.keeps(card.manifest.name)}
        if not self.read_only:
            return tuple(f"{server}.*" for server in sorted(cards))
        covered = frozenset(host.granted({name: card.granted_scopes for name, card in cards.items()}))
        return tuple(
            f"{server}.{tool.name}"
            for server, card in sorted(cards.items())
            for tool in card.tools
            if tool.read_only and (self.only or granted(covered, server, tool.name))
        )


def is_read_only(definition: JsonObject) -> bool:
    """Whether a tool, as its server defines it, changes nothing."""
    return as_object(definition.get("annotations")).get("readOnlyHint") is True


def granted(calls: Set[str], server: str, tool: str) -> bool:
    """Whether `calls` (`server.tool`, `server.*`) cover a tool."""
    return not {f"{server}.{tool}", f"{server}.*"}.isdisjoint(calls)
