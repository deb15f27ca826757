"""What a person lets an MCP host see and do of what it was granted. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from pydantic import Field

from contracts.base import Model, Name

GATEWAY = "podium"
"""Stands for the gateway itself where servers are named: to it belong the tools that conduct runs."""


class Terms(Model):
    """Under which terms a host is here. They take away from its grant and never add to it."""

    only: frozenset[Name] = Field(
        default=frozenset(), description=f"Servers, and `{GATEWAY}` for the gateway's own tools; none means all."
    )
    read_only: bool = Field(default=False, description="Only tools that change nothing.")

    def keeps(self, server: str) -> bool:
        """Whether `server` is to be seen at all."""
        return not self.only or server in self.only

    def takes(self, server: str, definition: Mapping[str, Any]) -> bool:
        """Whether a tool, as its server defines it, is to be seen."""
        return self.keeps(server) and (is_read_only(definition) or not self.read_only)

    @property
    def decides(self) -> bool:
        """Whether people may answer gates through the host."""
        return self.keeps(GATEWAY) and not self.read_only

    def of(self, granted: Iterable[str], reading: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
        """What stays of a grant (`server.tool`, `server.*`); `reading` gives a server's tools that change nothing."""
        kept: list[str] = []
        for call in granted:
            server, _, tool = call.partition(".")
            if not self.keeps(server):
                continue
            kept += [f"{server}.{one}" for one in reading(server) if tool in ("*", one)] if self.read_only else [call]
        return tuple(dict.fromkeys(kept))


def is_read_only(definition: Mapping[str, Any]) -> bool:
    """Whether a tool, as its server defines it, changes nothing."""
    hints = definition.get("annotations")
    return isinstance(hints, dict) and cast("dict[str, Any]", hints).get("readOnlyHint") is True
