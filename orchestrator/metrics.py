"""Metrics = fold(events): every second between two events is given to exactly one cause. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Literal

from contracts.metrics import AgentCalls, AgentSpending, Metrics, StepTime
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    Event,
    GateClosedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    ReworkMeasuredEvent,
    RunPrunedEvent,
    RunResumedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    What,
)
from contracts.spending import NOTHING, Spending

Cause = Literal["tools", "human", "down", "overhead"]

_ROUND = re.compile(r"(?:propose|write-tests|write-code)/([0-9]+)")
"""A step in which patches are made, and the round it belongs to."""


def agent_of(server: str) -> str:
    """Whose time and money a call of the orchestrator's to `server` is: what it asks a model is its own."""
    return "orchestrator" if server == "model" else server


def measure(events: Sequence[Event]) -> Metrics:
    """Where the time went, and what was asked of whom, until the end; what is noted afterwards takes no time."""
    events = [event for event in events if not isinstance(event.what, ReworkMeasuredEvent | RunPrunedEvent)]
    spent: dict[Cause, float] = {"tools": 0.0, "human": 0.0, "down": 0.0, "overhead": 0.0}
    steps: dict[str, float] = {}
    ready: float | None = None
    at = _Moment()
    away = [0.0]
    for event, following in pairwise(events):
        at.take(event)
        seconds = max(0.0, (following.at - event.at).total_seconds())
        cause = at.cause(following)
        spent[cause] += seconds
        away.append(spent["human"] + spent["down"])
        for step in at.steps:
            steps[step] = steps.get(step, 0.0) + (seconds if cause in ("tools", "overhead") else 0.0)
        if ready is None and isinstance(following.what, GateOpenedEvent) and following.what.kind == "handoff":
            ready = spent["tools"] + spent["overhead"]
    whats = [event.what for event in events]
    begun = (_ROUND.match(what.step) for what in whats if isinstance(what, StepStartedEvent))
    rounds = {found[1] for found in begun if found}
    spending = _spending(whats)
    return Metrics(
        total_s=sum(spent.values()),
        tools_s=spent["tools"],
        human_s=spent["human"],
        down_s=spent["down"],
        overhead_s=spent["overhead"],
        ready_s=spent["tools"] + spent["overhead"] if ready is None else ready,
        calls=_calls(events, away),
        steps=tuple(StepTime(step=step, seconds=seconds) for step, seconds in steps.items()),
        rounds=len(rounds),
        fix_rounds=max(0, len(rounds) - 1),
        human_edits=sum(isinstance(what, GateDecidedEvent) and what.decision.verdict == "modify" for what in whats),
        spent=reduce(Spending.plus, spending.values(), NOTHING),
        spending=tuple(AgentSpending(agent=agent, spent=spending[agent]) for agent in sorted(spending)),
        gates=sum(isinstance(what, GateOpenedEvent) for what in whats),
        resumes=sum(isinstance(what, RunResumedEvent) for what in whats),
    )


class _Moment:
    """What is under way between two events."""

    def __init__(self) -> None:
        self.calls: set[str] = set()
        self.gates: set[str] = set()
        self.steps: dict[str, None] = {}

    def take(self, event: Event) -> None:
        match event.what:
            case CallIntendedEvent() as what:
                self.calls.add(what.call_id)
            case CallFinishedEvent() as what:
                self.calls.discard(what.call_id)
            case GateOpenedEvent() as what:
                self.gates.add(what.gate)
            case GateDecidedEvent() | GateClosedEvent() as what:
                self.gates.discard(what.gate)
            case StepStartedEvent() as what:
                self.steps[what.step] = None
            case StepFinishedEvent() as what:
                self.steps.pop(what.step, None)
            case _:
                pass

    def cause(self, following: Event) -> Cause:
        """What the time up to `following` is spent on."""
        match following.what:
            case GateDecidedEvent() as what if what.decision.via == "policy":
                return "overhead"
            case RunResumedEvent() if not self.gates:
                return "down"
            case _:
                return "human" if self.gates else "tools" if self.calls else "overhead"


def _calls(events: Sequence[Event], away: Sequence[float]) -> tuple[AgentCalls, ...]:
    """`away` are the seconds before each event in which nobody worked."""
    begun: dict[str, tuple[Event, CallIntendedEvent, float]] = {}
    found: dict[str, AgentCalls] = {}
    for event, idle in zip(events, away, strict=True):
        match event.what:
            case CallIntendedEvent() as what:
                begun[what.call_id] = (event, what, idle)
                seen = found.get(what.server, AgentCalls(agent=what.server, calls=0, failed=0, seconds=0))
                found[what.server] = seen.model_copy(update={"calls": seen.calls + 1})
            case CallFinishedEvent() as what if what.call_id in begun:
                intended, intent, idle_before = begun[what.call_id]
                seen = found[intent.server]
                seconds = max(0.0, (event.at - intended.at).total_seconds() - (idle - idle_before))
                found[intent.server] = seen.model_copy(
                    update={"failed": seen.failed + (what.failure is not None), "seconds": seen.seconds + seconds}
                )
            case _:
                pass
    return tuple(found[agent] for agent in sorted(found))


def _spending(whats: Sequence[What]) -> dict[str, Spending]:
    agents = {what.call_id: agent_of(what.server) for what in whats if isinstance(what, CallIntendedEvent)}
    found: dict[str, Spending] = {}
    for what in whats:
        if isinstance(what, CallFinishedEvent) and what.spent and what.call_id in agents:
            agent = agents[what.call_id]
            found[agent] = found.get(agent, NOTHING).plus(what.spent)
    return found
