"""Checkpoints: what the notary signs of the ledger, about once a second while there is news.

Each names the one before it, so nobody can take one out or put one in, and for each stream how far it had come and the
running hash over all of its messages until then (`bus/chain.py`). It also holds everybody's public key, so that who
trusts the notary's needs nobody else's word.
"""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model, Sha256, UtcTime


class Chained(Model):
    """One stream, as far as it is chained."""

    last: int = Field(ge=0, description="Sequence number of its last message so far.")
    hash: Sha256 = Field(description="Running hash over its messages from the first to this one.")


class Gap(Model):
    """Messages that were there once and cannot be read."""

    stream: str
    first: int
    last: int


class Checkpoint(Model):
    """Stored as `notary.checkpoint`, sealed by the notary."""

    number: int = Field(ge=1)
    previous: Sha256 | None = Field(description="sha256 of the checkpoint before; None for the first.")
    at: UtcTime = Field(description="Never before the one before.")
    streams: dict[str, Chained]
    roster: dict[str, str] = Field(description="Identity name to nkey public key, as the operator sealed it.")
    gaps: tuple[Gap, ...] = Field(default=(), description="Found since the checkpoint before.")
    breaches: tuple[str, ...] = Field(
        default=(), description="How the store contradicts what was signed before, in words."
    )
