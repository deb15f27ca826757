"""What the operator notes on the ledger when a house takes it up: what somebody is granted, whose tools are pinned.

Stored as `crew.<name>.granted` and `crew.<name>.pinned`, when it differs from what was noted last.
"""

from __future__ import annotations

from contracts.base import Model, Sha256, UtcTime


class Granted(Model):
    """What an identity holds from then on; nothing once it has left the crew."""

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
