"""What calls come to, by caller, server, tool and outcome. What is held grows with those, not with the calls."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, field

from contracts.base import Model
from contracts.ledger import AuditRecord, CallRecord, Kind
from orchestrator.auditing.sketch import Sketch


class CallFigures(Model):
    """Calls of one caller to one tool that ended alike."""

    caller: str
    server: str
    tool: str
    outcome: str
    calls: int
    p50_ms: float | None
    """From stored call to stored result, within 1 %; so is `p95_ms`. None where nothing was answered."""
    p95_ms: float | None
    max_ms: float | None
    request_bytes: int
    result_bytes: int


class AuditFigures(Model):
    """`podium audit stats --json`."""

    records: int
    by_kind: dict[Kind, int]
    calls: tuple[CallFigures, ...]
    checked: bool
    """Whether the signatures were; else it is believed who sealed what, as the broker let it in."""


@dataclass
class _Sum:
    calls: int = 0
    request_bytes: int = 0
    result_bytes: int = 0
    took: Sketch = field(default_factory=Sketch)


async def figures(found: AsyncIterable[AuditRecord], *, checked: bool) -> AuditFigures:
    """What `found` comes to; the largest first."""
    by_kind: dict[Kind, int] = {}
    sums: dict[tuple[str, str, str, str], _Sum] = {}
    async for record in found:
        by_kind[record.kind] = by_kind.get(record.kind, 0) + 1
        if isinstance(record, CallRecord):
            came_to = sums.setdefault((record.caller, record.server, record.tool, record.outcome), _Sum())
            came_to.calls += 1
            came_to.request_bytes += record.request_bytes
            came_to.result_bytes += record.result_bytes or 0
            if record.duration_ms is not None:
                came_to.took.add(record.duration_ms)
    calls = (
        CallFigures(
            caller=caller,
            server=server,
            tool=tool,
            outcome=outcome,
            calls=each.calls,
            p50_ms=each.took.quantile(0.5),
            p95_ms=each.took.quantile(0.95),
            max_ms=each.took.max if each.took.count else None,
            request_bytes=each.request_bytes,
            result_bytes=each.result_bytes,
        )
        for (caller, server, tool, outcome), each in sums.items()
    )
    ordered = sorted(calls, key=lambda each: (-each.calls, each.caller, each.server, each.tool, each.outcome))
    return AuditFigures(records=sum(by_kind.values()), by_kind=by_kind, calls=tuple(ordered), checked=checked)
