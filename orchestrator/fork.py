"""A new run that begins where an old one was at one of its steps; `orchestrator.borrowing` says what it takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.gate_policy import Policy
from contracts.model import Role
from contracts.run import Event, RunStartedEvent, StepStartedEvent, ValueRecordedEvent
from contracts.spending import Allowance
from orchestrator import planner
from orchestrator.borrowing import FORK, Fork, begins
from orchestrator.errors import CrewIncomplete, OrchestratorError
from orchestrator.journal import Journal
from orchestrator.ports import TakenIn
from orchestrator.run import Conductor, Outcome


class UnknownStep(OrchestratorError):
    """The old run has no such step; names those it has."""

    def __init__(self, run: str, step: str, steps: Sequence[str]) -> None:
        super().__init__(f"run {run} has no step {step}; it has {', '.join(steps)}")


def forked(
    old: Sequence[Event],
    run: str,
    step: str,
    *,
    models: Mapping[Role, str],
    budget: Allowance,
    policy: Policy,
) -> tuple[RunStartedEvent, ValueRecordedEvent]:
    """How the new run begins: with the old one's task and workflow, from the very commit it started from.

    What `models` and `budget` name stands instead of what the old one had.

    Raises:
        UnknownStep: there is no `step` to fork from.
    """
    started = old[0].what
    assert isinstance(started, RunStartedEvent), "a run begins with its started event"
    steps = [event.what.step for event in old if isinstance(event.what, StepStartedEvent)]
    if not any(begins(each, step) for each in steps):
        raise UnknownStep(started.task.run, step, steps)
    taken = next(
        (
            TakenIn.model_validate(event.what.value)
            for event in old
            if isinstance(event.what, ValueRecordedEvent) and event.what.step == "ingest/taken"
        ),
        None,
    )
    task = started.task.model_copy(
        update={
            "run": run,
            "base": taken.base if taken else started.task.base,
            "models": {**started.task.models, **models},
        }
    )
    before = started.workflow.budgets
    budgets = before.model_copy(update={"model": before.model.replaced(budget)})
    workflow = started.workflow.model_copy(update={"budgets": budgets})
    fork = Fork(run=started.task.run, step=step)
    return (
        RunStartedEvent(task=task, workflow=workflow, policy=policy),
        ValueRecordedEvent(step=FORK, value=fork.model_dump(mode="json")),
    )


async def start_fork(conductor: Conductor, begin: tuple[RunStartedEvent, ValueRecordedEvent]) -> Outcome:
    """Begin a forked run and bring it as far as it goes; raises as `Conductor.start` and `resume`."""
    run, workflow = begin[0].task.run, begin[0].workflow
    if missing := planner.missing(workflow, conductor.offered):
        raise CrewIncomplete(workflow.name, missing)
    journal = Journal(conductor.bus, run, conductor.observer.on_event)
    for what in begin:
        await journal.add(what)
    return await conductor.resume(run)
