"""Names in the ledger: streams, buckets, and one call as an auditor sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name, Sha256, UtcTime
from contracts.failure import Failure
from contracts.spending import Spending
from contracts.trace import TraceId

RUNS_STREAM = "LEDGER_runs"
"""`run.>`, `gate.>` and `refused.>`."""

NOTARY_STREAM = "NOTARY"
"""`notary.>`: the checkpoints over all streams of the ledger."""

ENDINGS = ("handed-over", "failed", "aborted")
"""How the last event of a run is named in its subject `run.<run>.<ending>`; see `contracts.run.Ending`."""

CHECKPOINT = "notary.checkpoint"
"""Where each `Checkpoint` is stored."""

AGENTS_BUCKET = "agents"
"""Registry: a `Card` per server instance."""

ROSTER_BUCKET = "roster"
"""Public keys: identity name to nkey public key."""

GRANTS_BUCKET = "grants"
"""Who may call what: identity name to a JSON list of `server.tool`, as the operator wrote it."""


def server_stream(server: str) -> str:
    """The stream that keeps one server's calls and results."""
    return f"LEDGER_{server}"


def object_stream(stream: str) -> str:
    """The stream that keeps what is too large for the messages of `stream`, one of the ledger's."""
    return f"OBJECTS_{stream.removeprefix('LEDGER_')}"


class CallRecord(Model):
    """One tool call as the ledger holds it: the call and, once there is one, its result."""

    call_id: str = Field(description="As its caller chose it.")
    run: str = Field(default="", description="The run it belongs to; empty outside runs.")
    step: str = ""
    trace_id: TraceId = Field(description="The trace it is part of: its run's, else the one that its caller named.")
    parent: str = Field(default="", description="The call on whose behalf it was made, if any.")
    caller: Name
    subject: str = Field(default="", description="For whom: the `sub` of the token that a host over HTTP came with.")
    server: str
    tool: str
    called_at: UtcTime
    params_sha256: Sha256
    seq: int = Field(description="Sequence number of the call in the server's stream.")
    outcome: Literal["ok", "failed", "denied", "open"] = Field(description="open: no result is stored yet.")
    result_sha256: Sha256 | None = None
    duration_ms: float | None = Field(default=None, description="From stored call to stored result.")
    failure: Failure | None = None
    spent: Spending | None = Field(
        default=None, description="What the answer says asking models has cost, the calls it made for that included."
    )
    sealed: bool = Field(
        default=True, description="False: its server answered it, but its caller's signature does not hold."
    )
