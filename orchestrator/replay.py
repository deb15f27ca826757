"""Replay: the whole workflow runs again, on a recording alone.

Every answer, value and decision comes from the recording, nothing is sent, written or delivered, and whatever the code
does must be what was recorded then: steps and what they said, calls and their parameters, what was shown at gates, the
end. So a replay costs nothing, and shows whether this version of Podium would have done the same. What agents asked
on the way is not asked again, but held against what they signed of it (`orchestrator.nested`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Literal

from bus.errors import InvalidMessage
from bus.wire import arguments_sha256, correlation_of, parse
from contracts.base import Model, RunId, Sha256, sha256
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    RunAbortedEvent,
    RunStartedEvent,
)
from contracts.spending import NOTHING, Spending
from contracts.state import RunStatus
from contracts.workflow import Plan, Workflow
from orchestrator import finish
from orchestrator.engine import Engine
from orchestrator.errors import Diverged
from orchestrator.exchanges import record_of
from orchestrator.job import Job
from orchestrator.loop import WORKFLOWS, conduct
from orchestrator.nested import check_nested
from orchestrator.ports import Paths
from orchestrator.recorded import Nobody, NoCheckout, RecordedCalls, RecordedJournal, RecordingEnds, otherwise
from orchestrator.recording import Contents, Recording, RecordingError, opened
from orchestrator.state import fold
from orchestrator.text import count

_NOWHERE = Path(os.devnull)
"""Nothing can be written below it."""


class Divergence(Model):
    """The first place at which this version does something else than is recorded."""

    step: str
    recorded: str
    replayed: str
    recorded_sha256: Sha256 | None = None
    replayed_sha256: Sha256 | None = None


class Replay(Model):
    """What a replay came to."""

    run: RunId
    verdict: Literal["identical", "diverged"]
    status: RunStatus
    ended: bool
    """False: the recording stops before the run's end, and was replayed as far as it goes."""
    events: int
    calls: int
    """Of the orchestrator's, answered from the recording."""
    nested_calls: int
    """Of agents', which nobody had to make."""
    model_calls: int
    """Of both, those that asked a model then."""
    spent_then: Spending
    spent_now: Spending = NOTHING
    foreign: int
    """Messages that have no place in the run: not sealed by whom their subjects name, of another run, or doubled."""
    divergence: Divergence | None = None


async def replay(recording: Recording) -> Replay:
    """Run the recorded workflow again.

    Raises:
        UnknownRun, Torn: the recording does not hold the run, or not all of its events.
        RecordingError: what it says is not all there any more.
    """
    contents = await opened(recording)
    if contents.given_up:
        raise RecordingError(
            f"the bodies of {count(contents.given_up, 'message')} of {recording.run} were removed by `podium gc`, so "
            "that it cannot be replayed; `podium show` and `podium audit verify` work as before"
        )
    calls = RecordedCalls(contents.answers, recording.run)
    divergence = None
    try:
        _check_papers(contents, recording.run)
        check_nested(recording.run, contents)
        await _again(recording, contents, calls)
        _check_foreign(contents, recording.run)
    except Diverged as error:
        was, now = error.digests
        divergence = Divergence(
            step=error.step,
            recorded=error.recorded,
            replayed=error.asked,
            recorded_sha256=was or None,
            replayed_sha256=now or None,
        )
    state = fold(contents.events)
    records = [record_of(each) for each in contents.exchanges]
    asked = [record for record in records if (record.server, record.tool) == ("model", "complete")]
    return Replay(
        run=recording.run,
        verdict="diverged" if divergence else "identical",
        status=state.status,
        ended=state.ended,
        events=len(contents.events),
        calls=len(calls.made),
        nested_calls=sum(bool(record.parent) for record in records),
        model_calls=len(asked),
        spent_then=reduce(Spending.plus, (record.spent or NOTHING for record in asked), NOTHING),
        foreign=len(contents.foreign),
        divergence=divergence,
    )


async def _again(recording: Recording, contents: Contents, calls: RecordedCalls) -> None:
    run, started = recording.run, contents.events[0].what
    assert isinstance(started, RunStartedEvent), "a run begins with its started event"
    if started.workflow.name not in WORKFLOWS:
        raise Diverged(run, "started", f"workflow {started.workflow.name}", f"one of {', '.join(WORKFLOWS)}")
    journal = RecordedJournal(run, contents.events)
    engine = Engine(
        bus=recording.bus(),
        calls=calls,
        journal=journal,
        workflow=started.workflow,
        run=run,
        policy=started.policy,
        observer=Nobody(),
        desk=None,
    )
    offered = _offered(started.workflow, journal)
    job = Job(started.task, started.workflow, offered, NoCheckout(), Paths(_NOWHERE, _NOWHERE, _NOWHERE))
    try:
        ending = await conduct(engine, job)
    except RecordingEnds as edge:
        await _at_the_edge(engine, job, journal, edge)
        journal.check_all_done(calls.made, edge)
    else:
        journal.check_all_done(calls.made)
        engine.check_all_asked()
        if journal.ending is not None and ending != journal.ending:
            raise otherwise(run, "ending", journal.ending, ending)


async def _at_the_edge(engine: Engine, job: Job, journal: RecordedJournal, edge: RecordingEnds) -> None:
    """The code has come to the last of what is recorded: right for a run that was stopped there, and for no other."""
    match journal.ending:
        case None:
            return
        case RunAbortedEvent():
            # `podium abort` ends a run wherever it is, and cleans up after it as the loop does.
            if not edge.path.startswith("close"):
                await finish.close(engine, job)
        case _:
            raise Diverged(job.task.run, edge.path, "nothing", edge.what, ("", edge.sha256))


def _check_papers(contents: Contents, run: str) -> None:
    """See that the ledger's messages are those its events speak of.

    Raises:
        Diverged: a call's parameters, a gate's question or its decision is another one, or an answer is missing.
    """
    calls = {each.subject.call_id: each.call for each in contents.exchanges}
    for event in contents.events:
        match event.what:
            case CallIntendedEvent() as what:
                step, was = what.step, what.params_sha256
                now = arguments_sha256(calls[what.call_id].body) if what.call_id in calls else was
            case CallFinishedEvent() as what:
                # That an answer is the recorded one is seen when the engine takes it.
                step, was = what.step, what.result_sha256 or what.digest()
                now = was if what.call_id in contents.answers else ""
            case GateOpenedEvent() as what:
                step, was = what.step, what.subject_sha256
                now = contents.requests[what.gate].subject_sha256 if what.gate in contents.requests else was
            case GateDecidedEvent() as what:
                decision = contents.decisions.get(what.gate)
                step, was, now = what.gate, what.decision.digest(), decision.digest() if decision else ""
            case _:
                continue
        if now != was:
            stands = f"sha256 {now} in the ledger" if now else "none that is sealed"
            raise Diverged(run, step, f"{event.what.event} of sha256 {was}", stands, (was, now))


def _check_foreign(contents: Contents, run: str) -> None:
    """See that nothing else stands there.

    Raises:
        Diverged: a message has no place in the run; at the step of its call, or that it names itself, else its subject.
    """
    steps = {each.subject.call_id: correlation_of(each.request).step for each in contents.exchanges}
    for kept in contents.foreign:
        step = steps.get(kept.subject.rpartition(".")[2], "")
        with suppress(InvalidMessage):
            step = step or correlation_of(parse(kept.subject, kept.body)).step
        stands = f"a message that has no place: {kept.subject}"
        raise Diverged(run, step or kept.subject, "nothing", stands, ("", sha256(kept.body)))


def _offered(workflow: Workflow, journal: RecordedJournal) -> frozenset[str]:
    """What the crew offered then: all the workflow uses, but for steps that the plan had to leave out."""
    everything = {tool for step in workflow.steps for tool in step.uses}
    made = journal.values.get("plan/made")
    if made is None:
        return frozenset(everything)
    kept = {step.id for step in Plan.model_validate(made.value).steps}
    used = {tool for step in workflow.steps if step.id in kept for tool in step.uses}
    return frozenset(used)
