"""Names in the ledger: streams, buckets, and one call as an auditor sees it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name, Sha256, UtcTime
from contracts.failure import Failure
from contracts.spending import Spending
from contracts.trace import TraceId

RUNS_STREAM = "LEDGER_runs"
"""`run.>`, `gate.>`, `refused.>`, `denied.>` and `crew.>`."""

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

MANDATES_BUCKET = "mandates"
"""What may be called for whom: the name of a run that is under way to its `Mandate`, as the orchestrator wrote it."""


def server_stream(server: str) -> str:
    """The stream that keeps one server's calls and results."""
    return f"LEDGER_{server}"


def object_stream(stream: str) -> str:
    """The stream that keeps what is too large for the messages of `stream`, one of the ledger's."""
    return f"OBJECTS_{stream.removeprefix('LEDGER_')}"


class Denial(Model):
    """What the broker refused to let somebody do."""

    verb: Literal["publish", "subscribe", "connect", "send"] = Field(
        description="connect: with a key that is not, or no longer, anybody's. send: too much in one piece."
    )
    subject: str = Field(description="As the broker quotes it, and its beginning where it is long.")
    times: int


class Denials(Model):
    """What the broker refused one identity within a while, as the house read it in the broker's log."""

    denials: tuple[Denial, ...]
    more: int = Field(default=0, description="How often it was refused others, of which there were too many to list.")


Kind = Literal["call", "denial", "gate", "grant", "pin", "run"]
"""What a record of the audit is about."""

CallOutcome = Literal["ok", "failed", "denied", "open", "pruned"]
"""open: no result is stored yet. pruned: one is, and what it said was removed on purpose (`podium gc`)."""


class CallRecord(Model):
    """One tool call as the ledger holds it: the call and, once there is one, its result."""

    kind: Literal["call", "denial"] = Field(
        default="call", description="denial: a host asked for what it was not granted, and nobody was called."
    )
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
    params_sha256: Sha256 | None = Field(description="None where the call's body was removed on purpose.")
    request_bytes: int = Field(default=0, description="Of the request as it was made.")
    seq: int = Field(description="Sequence number of the call in the server's stream; a denial's in the runs' stream.")
    outcome: CallOutcome
    result_sha256: Sha256 | None = None
    result_bytes: int | None = Field(default=None, description="Of the stored answer.")
    duration_ms: float | None = Field(default=None, description="From stored call to stored result.")
    failure: Failure | None = None
    spent: Spending | None = Field(
        default=None, description="What the answer says asking models has cost, the calls it made for that included."
    )
    sealed: bool = Field(
        default=True, description="False: its server answered it, but its caller's signature does not hold."
    )

    @property
    def at(self) -> UtcTime:
        """When it was stored."""
        return self.called_at

    @property
    def place(self) -> str:
        """Where it stands on the ledger, as `STREAM:SEQ`."""
        return f"{RUNS_STREAM if self.kind == 'denial' else server_stream(self.server)}:{self.seq}"


class Note(Model):
    """One message of the ledger that is no call: a gate's question or answer, a grant, a pin, an event of a run."""

    kind: Literal["gate", "grant", "pin", "run"]
    at: UtcTime = Field(description="When it was stored.")
    run: str = ""
    caller: str = Field(description="Who sealed it.")
    server: str = Field(default="", description="Whom it is about: the member or host that is granted, or pinned.")
    what: str = Field(description="The gate's name, the event's, what is granted or pinned.")
    outcome: str = Field(description="opened or the verdict; the event; granted or pinned.")
    why: str = Field(default="", description="The reason that was given, who decided and through which door.")
    body_sha256: Sha256
    body_bytes: int
    seq: int = Field(description="Sequence number in the runs' stream.")

    @property
    def place(self) -> str:
        """Where it stands on the ledger, as `STREAM:SEQ`."""
        return f"{RUNS_STREAM}:{self.seq}"


AuditRecord = CallRecord | Note
"""What `podium audit log` lists."""
