"""Spans = projection(ledger): a run's trace, of all processes, out of what they have stored. Pure.

Members may reach no collector, and need not: when a call was stored and answered, and by whom, is on the ledger.
Attributes are those of OpenTelemetry's conventions for MCP and for generative AI (docs/tracing.md); what neither has
begins with `podium.`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from contracts.run import (
    Event,
    GateClosedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    RunResumedEvent,
    StepFinishedEvent,
    StepStartedEvent,
)
from contracts.trace import Attributes, Moment, Span, span_id
from orchestrator.call_spans import UNFINISHED, spans_of_call
from orchestrator.recording import Contents
from orchestrator.seals import ORCHESTRATOR
from orchestrator.state import fold


def spans_of(contents: Contents) -> tuple[Span, ...]:
    """Everything of a run that is over, in the order in which it began; the run itself once that has ended."""
    run = _Run(contents.events)
    found = list(run.spans())
    for call in contents.exchanges:
        found += spans_of_call(call, run.ended_at, run.above)
    return tuple(sorted(found, key=lambda span: span.started_at))


class _Run:
    """The run, its steps, and its gates: there people were waited for."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._state = fold(events)
        self._name = self._state.run
        self._steps = {event.what.step for event in events if isinstance(event.what, StepStartedEvent)}

    @property
    def ended_at(self) -> datetime | None:
        """When nothing more could happen to it."""
        return self._state.ended_at

    def above(self, path: str) -> str:
        """The id of the span of the step that `path` is in, or else of the run."""
        while path and path not in self._steps:
            path = path.rpartition("/")[0]
        return span_id("step", self._name, path) if path else span_id("run", self._name)

    def spans(self) -> Iterator[Span]:
        """Those that are over; what was under way when the run ended has ended then."""
        steps: dict[str, tuple[datetime, StepStartedEvent]] = {}
        gates: dict[str, tuple[datetime, GateOpenedEvent]] = {}
        for event in self._events:
            match event.what:
                case StepStartedEvent() as what:
                    steps[what.step] = event.at, what
                case StepFinishedEvent() as what if what.step in steps:
                    yield self._step(*steps.pop(what.step), event.at, "" if what.ok else "failed")
                case GateOpenedEvent() as what:
                    gates[what.gate] = event.at, what
                case GateDecidedEvent() as what if what.gate in gates:
                    yield self._gate(*gates.pop(what.gate), event.at, decided=what)
                case GateClosedEvent() as what if what.gate in gates:
                    yield self._gate(*gates.pop(what.gate), event.at, error=what.why)
                case _:
                    pass
        if self.ended_at is None:
            return
        for begun in steps.values():
            yield self._step(*begun, self.ended_at, UNFINISHED)
        for opened in gates.values():
            yield self._gate(*opened, self.ended_at, error=UNFINISHED)
        yield self._whole(self.ended_at)

    def _whole(self, ended: datetime) -> Span:
        state = self._state
        resumed = (event.at for event in self._events if isinstance(event.what, RunResumedEvent))
        return Span(
            trace_id=state.trace_id,
            span_id=span_id("run", self._name),
            name=f"invoke_workflow {state.task.workflow}",
            service=ORCHESTRATOR,
            started_at=state.started_at,
            ended_at=ended,
            error="" if state.status == "handed_over" else state.status,
            attributes={
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.agent.name": state.task.workflow,
                "gen_ai.conversation.id": self._name,
                "podium.run": self._name,
                "podium.run.status": state.status,
                "podium.run.human_s": state.metrics.human_s,
            },
            moments=tuple(Moment(name="resumed", at=at) for at in resumed),
        )

    def _step(self, begun: datetime, what: StepStartedEvent, ended: datetime, error: str) -> Span:
        return Span(
            trace_id=self._state.trace_id,
            span_id=span_id("step", self._name, what.step),
            parent_id=self.above(what.step.rpartition("/")[0]),
            name=f"step {what.step.partition('/')[0]}",
            service=ORCHESTRATOR,
            started_at=begun,
            ended_at=ended,
            error=error,
            attributes={"podium.run": self._name, "podium.step": what.step, "podium.step.agent": what.agent},
        )

    def _gate(
        self,
        opened: datetime,
        what: GateOpenedEvent,
        settled: datetime,
        *,
        decided: GateDecidedEvent | None = None,
        error: str = "",
    ) -> Span:
        attributes: Attributes = {
            "podium.run": self._name,
            "podium.gate": what.gate,
            "podium.gate.kind": what.kind,
        }
        if decided is not None:
            attributes |= {
                "podium.gate.verdict": decided.decision.verdict,
                "podium.gate.via": decided.decision.via,
            }
        return Span(
            trace_id=self._state.trace_id,
            span_id=span_id("gate", self._name, what.gate),
            parent_id=self.above(what.step),
            name=f"gate {what.kind}",
            service=ORCHESTRATOR,
            started_at=opened,
            ended_at=settled,
            error=error,
            attributes=attributes,
        )
