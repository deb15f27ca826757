"""What can be read of a run, as text: projections of the same events and gates that `podium show` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bus.bus import Bus
from contracts.base import Model
from contracts.bundle import Bundle
from contracts.gate import Escalation, GateDecision, GateRequest, PatchSet, Subject
from contracts.gateway import RunLine, RunList, TestReport
from contracts.ledger import RUNS_STREAM
from contracts.state import RunState
from contracts.workflow import Plan
from orchestrator.gateway.uris import Part
from orchestrator.runs import Listing, shown, state_of

JSON, DIFF = "application/json", "text/x-diff"

MIME: dict[Part, str] = {"": JSON, "plan": JSON, "diff": DIFF, "tests": JSON, "bundle": JSON}

_Gates = Sequence[tuple[Subject, GateDecision | None]]
"""What was shown at each gate and what was decided about it, if it was; the newest first."""


async def part_of(bus: Bus, run: str, part: Part) -> str | None:
    """The text of a part of a run; None where there is none, or not yet.

    Raises:
        UnknownRun, Torn: as `orchestrator.runs.events_of`.
    """
    if not part:
        return _json(await shown(bus, run))
    gates = await _gates(bus, await state_of(bus, run))
    match part:
        case "plan":
            return _json(next(_plans(gates), None))
        case "diff":
            return next(_diffs(gates), None)
        case "tests":
            return _json(_tests(run, gates))
        case "bundle":
            return _json(next((subject for subject, _ in gates if isinstance(subject, Bundle)), None))


def run_list(listing: Listing) -> RunList:
    """The runs there are."""
    lines = (
        RunLine(
            run=state.run,
            workflow=state.task.workflow,
            repo=state.task.repo,
            request=state.task.request,
            status=state.status,
            started_at=state.started_at,
            branch=state.branch,
        )
        for state in listing.runs
    )
    return RunList(runs=tuple(lines), torn=tuple(map(str, listing.torn)))


async def _gates(bus: Bus, state: RunState) -> _Gates:
    found: list[tuple[Subject, GateDecision | None]] = []
    for gate in reversed(state.gates):
        kept = await bus.last(RUNS_STREAM, f"gate.{state.run}.{gate.gate}.request")
        request = GateRequest.model_validate_json(kept.body) if kept else None
        if request is not None and request.subject_sha256 == gate.subject_sha256:
            found.append((request.subject, gate.decision))
    return found


def _plans(gates: _Gates) -> Iterator[Plan]:
    """As a person left it, where one changed it."""
    for subject, decision in gates:
        if isinstance(subject, Plan):
            yield decision.plan if decision and decision.plan else subject


def _diffs(gates: _Gates) -> Iterator[str]:
    """What is proposed, stands applied, or is handed over."""
    for subject, decision in gates:
        match subject:
            case Bundle():
                yield subject.patch.diff
            case Escalation():
                yield subject.diff
            case PatchSet():
                chosen = decision.choice if decision else 0
                yield decision.diff if decision and decision.diff else subject.proposals[chosen].patch.diff
            case Plan():
                pass


def _tests(run: str, gates: _Gates) -> TestReport | None:
    for subject, _ in gates:
        match subject:
            case Bundle():
                return TestReport(
                    run=run,
                    failing=subject.failing,
                    before=subject.before,
                    after=subject.after,
                    comparison=subject.comparison,
                    criteria=subject.criteria,
                )
            case Escalation():
                return TestReport(run=run, comparison=subject.comparison)
            case PatchSet():
                return TestReport(run=run, proposals=tuple(each.evidence for each in subject.proposals))
            case Plan():
                return TestReport(run=run, failing=subject.failing)
    return None


def _json(found: Model | None) -> str | None:
    return found and found.model_dump_json(indent=2)
