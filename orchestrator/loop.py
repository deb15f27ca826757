"""The control loop.

::

    ingest → reproduce → plan → [gate: plan] → propose → [gate: patches] → apply → analyse → test
           → worse? take it back, next round; unclear, or the same again? [gate: escalation]
           → finalize → [gate: handoff] → branch delivered, bundle written

    ingest → models → survey → understand → plan → [gate: plan] → write tests → write code → analyse → test
           → not better? judge: mend and again, or [gate: escalation]
           → [gate: patches] → finalize → [gate: handoff] → branch delivered, bundle written
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from bus.errors import CallFailed
from contracts.run import RunAbortedEvent, RunFailedEvent, RunHandedOverEvent
from orchestrator import finish, minds, steps
from orchestrator.building import Build
from orchestrator.checks import lint_tree
from orchestrator.engine import Engine
from orchestrator.errors import CouldNot, OverBudget, Refused
from orchestrator.job import Job
from orchestrator.planning import understand, written_down
from orchestrator.repairing import repair


async def fix_bug(run: Engine, job: Job) -> RunHandedOverEvent:
    """Turn the task's failing tests green, with a person's consent at each gate."""
    opened = await steps.ingest(run, job)
    seen = await steps.reproduce(run, job)
    plan = await steps.agree_on_plan(run, job, seen)
    accepted = await repair(run, plan, seen, opened.head)
    bundle = await finish.finalize(run, job, plan, seen, opened, accepted)
    await steps.approved(run, "handoff", bundle)
    return await finish.hand_over(run, job, bundle)


async def build(run: Engine, job: Job) -> RunHandedOverEvent:
    """Have what a request describes planned, written and tested, with a person's consent at each gate."""
    opened = await steps.ingest(run, job)
    planned, planner = written_down(job.workflow), None
    if planned is None:
        planner = await minds.ready(run, job.task.run)  # before anything is run or paid
    seen = await steps.survey(run, job)
    if planner is not None:
        planned = await understand(run, job, seen, planner)
    plan = await steps.agree_on_plan(run, job, seen, planned)
    linted = await lint_tree(run, plan, "before")
    accepted = await Build(run, plan, seen, job.workflow.purpose, linted, opened.head).work()
    bundle = await finish.finalize(run, job, plan, seen, opened, accepted)
    await steps.approved(run, "handoff", bundle)
    return await finish.hand_over(run, job, bundle)


WORKFLOWS: Mapping[str, Callable[[Engine, Job], Awaitable[RunHandedOverEvent]]] = {
    "fix-bug": fix_bug,
    "fix-report": build,
    "add-endpoint": build,
    "add-option": build,
    "write-tests": build,
    "write-docs": build,
}
"""The loop each workflow runs by; `configs/workflows/<name>.toml` furnishes it."""


async def conduct(run: Engine, job: Job) -> RunHandedOverEvent | RunFailedEvent | RunAbortedEvent:
    """Run a workflow to its end and clean up after it.

    Raises:
        Waiting: a gate needs a person; nothing is cleaned up, the run goes on from there.
    """
    try:
        ending = await WORKFLOWS[job.workflow.name](run, job)
    except CouldNot as error:
        over = isinstance(error, OverBudget)
        ending = RunFailedEvent(reason=error.reason, way_out=error.way_out, over_budget=over)
    except CallFailed as error:
        reason = f"{error.server}.{error.tool} failed: {error.failure.message}"
        over = error.failure.kind == "budget"
        ending = RunFailedEvent(reason=reason, way_out=error.failure.way_out, over_budget=over)
    except Refused as error:
        ending = RunAbortedEvent(verdict=error.verdict, reason=error.reason, by=error.by)
    await finish.close(run, job)
    return ending
