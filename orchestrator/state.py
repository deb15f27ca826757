"""State = fold(events). Pure: the same events always give the same state, and so does every prefix of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.gate import GateDecision
from contracts.rework import Rework
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    Event,
    GateClosedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    ReworkMeasuredEvent,
    RunAbortedEvent,
    RunFailedEvent,
    RunHandedOverEvent,
    RunPrunedEvent,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
)
from contracts.state import CallState, GateState, RunState, RunStatus, StepState
from contracts.trace import trace_of_run
from orchestrator.metrics import measure


def fold(events: Sequence[Event]) -> RunState:
    """The run as its events leave it.

    Raises:
        ValueError: the first event is not the run's start.
    """
    if not events or not isinstance(events[0].what, RunStartedEvent):
        raise ValueError("a run begins with its started event")
    draft = _Draft()
    for event in events:
        draft.take(event)
    return RunState(
        task=events[0].what.task,
        trace_id=trace_of_run(events[0].what.task.run),
        status=draft.status,
        started_at=events[0].at,
        updated_at=events[-1].at,
        ended_at=draft.ending.at if draft.ending else None,
        steps=tuple(draft.steps.values()),
        calls=tuple(draft.calls.values()),
        gates=tuple(draft.gates.values()),
        over_budget=draft.over_budget,
        metrics=measure(events),
        rework=draft.rework,
        pruned=draft.pruned,
        pruned_at=draft.pruned_at,
        events=len(events),
        **draft.end,
    )


class _Draft:
    """The parts of a state while they are being put together."""

    def __init__(self) -> None:
        self.steps: dict[str, StepState] = {}
        self.calls: dict[str, CallState] = {}
        self.gates: dict[str, GateState] = {}
        self.ending: Event | None = None
        self.rework: Rework | None = None
        self.pruned: RunPrunedEvent | None = None
        self.pruned_at: datetime | None = None

    @property
    def status(self) -> RunStatus:
        match self.ending and self.ending.what:
            case RunHandedOverEvent():
                return "handed_over"
            case RunFailedEvent():
                return "failed"
            case RunAbortedEvent():
                return "aborted"
            case _:
                is_open = any(gate.decision is None and not gate.closed for gate in self.gates.values())
                return "waiting" if is_open else "running"

    @property
    def over_budget(self) -> bool:
        return bool(self.ending and isinstance(self.ending.what, RunFailedEvent) and self.ending.what.over_budget)

    @property
    def end(self) -> dict[str, str]:
        match self.ending and self.ending.what:
            case RunHandedOverEvent() as what:
                return {
                    "branch": what.branch,
                    "head": what.head,
                    "bundle": what.bundle,
                    "bundle_sha256": what.bundle_sha256,
                }
            case RunFailedEvent() as what:
                return {"reason": what.reason, "way_out": what.way_out}
            case RunAbortedEvent() as what:
                return {"reason": what.reason, "by": what.by}
            case _:
                return {}

    def take(self, event: Event) -> None:
        match event.what:
            case StepStartedEvent() as what:
                self.steps[what.step] = StepState(
                    step=what.step, title=what.title, agent=what.agent, started_at=event.at
                )
            case StepFinishedEvent() as what if what.step in self.steps:
                self.steps[what.step] = self.steps[what.step].model_copy(
                    update={
                        "status": "done" if what.ok else "failed",
                        "ended_at": event.at,
                        "summary": what.summary,
                    }
                )
            case CallIntendedEvent() as what:
                self.calls[what.call_id] = CallState(
                    call_id=what.call_id, server=what.server, tool=what.tool, started_at=event.at
                )
            case CallFinishedEvent() as what if what.call_id in self.calls:
                self.calls[what.call_id] = self.calls[what.call_id].model_copy(
                    update={"ended_at": event.at, "failure": what.failure}
                )
            case GateOpenedEvent() as what:
                self.gates[what.gate] = GateState(
                    gate=what.gate,
                    kind=what.kind,
                    subject_sha256=what.subject_sha256,
                    opened_at=event.at,
                    expires_at=what.expires_at,
                )
            case GateDecidedEvent() as what:
                self._settle(what.gate, what.decision, "")
            case GateClosedEvent() as what:
                self._settle(what.gate, None, f"{what.why}: {what.reason}")
            case RunHandedOverEvent() | RunFailedEvent() | RunAbortedEvent():
                self.ending = event
                left = [step for step in self.steps.values() if step.status == "running"]
                for step in left:  # nothing of it goes on
                    self.steps[step.step] = step.model_copy(update={"status": "failed", "ended_at": event.at})
            case ReworkMeasuredEvent() as what:
                self.rework = what.rework
            case RunPrunedEvent() as what:
                self.pruned, self.pruned_at = what, event.at
            case _:
                pass

    def _settle(self, gate: str, decision: GateDecision | None, closed: str) -> None:
        if gate in self.gates:
            self.gates[gate] = self.gates[gate].model_copy(update={"decision": decision, "closed": closed})
