"""Messages of a ledger by everybody who could have stored one, entitled or not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from bus.bus import Stored
from bus.envelope import seal
from bus.memory import MemoryBroker
from bus.subjects import CallSubject
from bus.wire import JsonObject, failure_result, response
from contracts.failure import Failure
from contracts.ledger import server_stream

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
CALLERS = ("orchestrator", "meddler")


@dataclass
class Scribe:
    """Writes into the stream of `echo`, one message a second."""

    broker: MemoryBroker = field(default_factory=MemoryBroker)

    def __post_init__(self) -> None:
        for name in (*CALLERS, "echo", "other"):
            self.broker.connect(name)

    @property
    def stream(self) -> list[Stored]:
        return self.broker.streams.setdefault(server_stream("echo"), [])

    def put(self, subject: str, body: bytes, by: str, *, alone: bool) -> None:
        """Store it, sealed by `by` ("" by nobody); `alone`: as one that expects nothing there, as the broker checks."""
        if alone and any(kept.subject == subject for kept in self.stream):
            return
        headers = seal(self.broker.identities[by].signer(), subject, body) if by else {}
        headers |= {"Nats-Expected-Last-Subject-Sequence": "0"} if alone else {}
        seq = len(self.stream) + 1
        at = BEGUN + timedelta(seconds=seq)
        self.stream.append(Stored(server_stream("echo"), seq, subject, body, headers, at))

    def call(
        self, n: int, *, caller: str = "orchestrator", by: str | None = None, tool: str = "say", alone: bool = True
    ) -> None:
        call = CallSubject("echo", tool, caller, f"c{n}")
        params = {"name": tool, "arguments": {"text": f"number {n}"}, "_meta": {"io.podium/run": f"r-run{n % 2}"}}
        body = {"jsonrpc": "2.0", "id": call.call_id, "method": "tools/call", "params": params}
        self.put(str(call), json.dumps(body).encode(), caller if by is None else by, alone=alone)

    def result(
        self,
        n: int,
        *,
        caller: str = "orchestrator",
        by: str = "echo",
        outcome: Literal["ok", "denied", "failed"] = "ok",
        alone: bool = True,
    ) -> None:
        call = CallSubject("echo", "say", caller, f"c{n}")
        said: JsonObject = {"resultType": "complete", "structuredContent": {"text": f"answer {n}"}}
        if outcome != "ok":
            said = failure_result(Failure(kind="denied" if outcome == "denied" else "timeout", message="no"))
        self.put(call.result, response(call.call_id, said), by, alone=alone)

    def copy(self, at: int) -> None:
        """What stands at a place, once more, seal and all."""
        if self.stream:
            kept = self.stream[at % len(self.stream)]
            headers = {name: said for name, said in kept.headers.items() if not name.startswith("Nats-")}
            seq = len(self.stream) + 1
            self.stream.append(replace(kept, seq=seq, headers=headers, stored_at=BEGUN + timedelta(seconds=seq)))
