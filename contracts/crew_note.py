"""What the operator notes on the ledger when a house takes it up: what somebody is granted, whose tools are pinned.

Stored as `crew.<name>.granted` and `crew.<name>.pinned`, when it differs from what was noted last.
"""

from __future__ import annotations

from typing import Self

from contracts.base import Model, Sha256, UtcTime
from contracts.manifest import tools_digest
from contracts.pin import Pin


class Granted(Model):
    """What an identity holds from then on, when it is there."""

    scopes: tuple[str, ...] = ()
    """Of the process: files, programs, network."""
    calls: tuple[str, ...] = ()
    """`server.tool` or `server.*`."""


class Pinned(Model):
    """The tools that a server was approved with."""

    tools_sha256: Sha256
    tools: tuple[str, ...]
    approved_at: UtcTime
    approved_by: str

    @classmethod
    def of(cls, pin: Pin) -> Self:
        """What is noted of a pin: its tools by their digest."""
        names = tuple(tool.name for tool in pin.tools)
        return cls(
            tools_sha256=tools_digest(pin.tools), tools=names, approved_at=pin.approved_at, approved_by=pin.approved_by
        )
