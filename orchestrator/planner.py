"""From a workflow and a task to a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.manifest import Card
from contracts.task import Task
from contracts.workflow import Plan, Workflow, WorkflowStep


def tools_of(cards: Iterable[Card]) -> frozenset[str]:
    """`server.tool` names that somebody offers."""
    return frozenset(f"{card.manifest.name}.{spec.name}" for card in cards for spec in card.tools)


def missing(workflow: Workflow, offered: frozenset[str]) -> tuple[str, ...]:
    """Tools the workflow cannot do without and nobody offers."""
    needed = {tool for step in workflow.steps if not step.optional for tool in step.uses}
    return tuple(sorted(needed - offered))


def make_plan(
    workflow: Workflow, task: Task, offered: frozenset[str], failing: Sequence[str], facts: Sequence[str]
) -> Plan:
    """The workflow's steps that can be done here; what is left out is among the facts."""
    possible = [step for step in workflow.steps if not step.optional or offered.issuperset(step.uses)]
    left_out = [f"Left out: {step.title} (nobody offers it)." for step in workflow.steps if step not in possible]
    return Plan(
        run=task.run,
        workflow=workflow.name,
        request=task.request,
        failing=tuple(failing),
        avoid=task.avoid,
        steps=tuple(possible),
        fix_rounds=workflow.fix_rounds,
        budgets=workflow.budgets,
        facts=(*facts, *left_out),
    )


def edit_problem(shown: Plan, edited: Plan) -> str:
    """Why `edited` may not take the place of `shown`; "" when it may.

    A person may reword the request, narrow the tests, change what to avoid, the rounds and the budgets, and
    drop optional steps. Nobody can give a step to another agent or let it use more tools.
    """
    if (edited.run, edited.workflow) != (shown.run, shown.workflow):
        return "the edited plan belongs to another run or workflow"
    if not edited.failing:
        return "the edited plan has no failing test left"
    unknown = sorted(set(edited.failing) - set(shown.failing))
    if unknown:
        return f"not seen failing: {', '.join(unknown)}; start a run for them instead"
    if edited.steps != _kept(shown.steps, edited.steps):
        return "steps of the plan can only be left out; the edited plan adds, changes or reorders some"
    dropped = sorted(step.id for step in shown.steps if step not in edited.steps and not step.optional)
    if dropped:
        return f"these steps cannot be left out: {', '.join(dropped)}"
    return ""


def _kept(shown: Sequence[WorkflowStep], edited: Sequence[WorkflowStep]) -> tuple[WorkflowStep, ...]:
    return tuple(step for step in shown if step in edited)
