"""From a workflow and a task to a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.manifest import Card
from contracts.planning import PlannedWork
from contracts.task import Task
from contracts.test_names import may_decide_tests
from contracts.workflow import Plan, Workflow, WorkflowStep
from orchestrator.workplan import work_problem

WRITES = "write"
"""The tool that takes an item of work, of whoever has it: with `contracts.code_writer.WriteParams`, but for tests."""


def tools_of(cards: Iterable[Card]) -> frozenset[str]:
    """`server.tool` names that somebody offers."""
    return frozenset(f"{card.manifest.name}.{spec.name}" for card in cards for spec in card.tools)


def missing(workflow: Workflow, offered: frozenset[str]) -> tuple[str, ...]:
    """Tools the workflow cannot do without and nobody offers."""
    needed = {tool for step in workflow.steps if not step.optional for tool in step.uses}
    return tuple(sorted(needed - offered))


def make_plan(
    workflow: Workflow,
    task: Task,
    offered: frozenset[str],
    failing: Sequence[str],
    facts: Sequence[str],
    planned: PlannedWork | None = None,
) -> Plan:
    """The workflow's steps that can be done here, and what a planner had done; what is left out is among the facts."""
    possible = [step for step in workflow.steps if not step.optional or offered.issuperset(step.uses)]
    left_out = [f"Left out: {step.title} (nobody offers it)." for step in workflow.steps if step not in possible]
    work = planned.work if planned else ()
    deciding = [
        f"{item.path} can say how tests run: pytest runs here as the base commit says, a command of your own may not."
        for item in work
        if may_decide_tests(item.path)
    ]
    return Plan(
        run=task.run,
        workflow=workflow.name,
        request=task.request,
        failing=tuple(failing),
        avoid=task.avoid,
        steps=tuple(possible),
        fix_rounds=workflow.fix_rounds,
        budgets=workflow.budgets,
        facts=(*facts, *left_out, *deciding),
        engine=task.engine,
        goal=planned.goal if planned else "",
        relevant=planned.relevant if planned else (),
        work=work,
        criteria=task.criteria,
    )


def edit_problem(shown: Plan, edited: Plan) -> str:
    """Why `edited` may not take the place of `shown`; "" when it may.

    A person may reword the request, narrow the tests, change what to avoid, the rounds and the budgets, and
    drop optional steps, and change the work as a planner might have planned it. Nobody can give a step to another
    agent or let it use more tools.
    """
    if (edited.run, edited.workflow) != (shown.run, shown.workflow):
        return "the edited plan belongs to another run or workflow"
    if shown.failing and not edited.failing:
        return "the edited plan has no failing test left"
    unknown = sorted(set(edited.failing) - set(shown.failing))
    if unknown:
        return f"not seen failing: {', '.join(unknown)}; start a run for them instead"
    if bool(shown.work) != bool(edited.work):
        return "the edited plan has no work left" if shown.work else "this workflow takes no work items"
    if edited.work and (wrong := work_problem(edited.work, agents(edited.steps), edited.avoid)):
        return wrong
    if (edited.budgets.model, edited.budgets.agents) != (shown.budgets.model, shown.budgets.agents):
        return "what asking models may cost was fixed when the run began; start a run with other --budget-… instead"
    if edited.engine != shown.engine or edited.criteria != shown.criteria:
        return "the engine and the acceptance criteria belong to the task; start a run with others instead"
    if edited.steps != _kept(shown.steps, edited.steps):
        return "steps of the plan can only be left out; the edited plan adds, changes or reorders some"
    dropped = sorted(step.id for step in shown.steps if step not in edited.steps and not step.optional)
    if dropped:
        return f"these steps cannot be left out: {', '.join(dropped)}"
    return ""


def agents(steps: Iterable[WorkflowStep]) -> frozenset[str]:
    """Who may be given work by these steps."""
    return frozenset(writing_steps(steps))


def writing_steps(steps: Iterable[WorkflowStep]) -> dict[str, str]:
    """The step in which each writer works, by writer."""
    called = ((tool.partition("."), step.id) for step in steps for tool in step.uses)
    return {server: step for (server, _, tool), step in called if tool == WRITES}


def _kept(shown: Sequence[WorkflowStep], edited: Sequence[WorkflowStep]) -> tuple[WorkflowStep, ...]:
    return tuple(step for step in shown if step in edited)
