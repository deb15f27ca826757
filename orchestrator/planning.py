"""Planning by a model: from a request, its acceptance criteria and the repository to items of work."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.model import DescribeResult
from contracts.planning import PlannedWork
from contracts.prompt import fenced, name
from contracts.repository import (
    MAX_WORDS_CHARS,
    ListParams,
    ListResult,
    MapParams,
    MapResult,
    SimilarParams,
    SimilarResult,
)
from contracts.task import Criterion
from contracts.workflow import Plan, Workflow
from orchestrator import minds, words
from orchestrator.engine import Engine, Step
from orchestrator.job import Job, Seen
from orchestrator.planner import agents
from orchestrator.workplan import tree_problem, work_problem

MAX_FILES = 20_000
"""Whose names are looked at; in a larger repository, writers find out what is a folder."""
MAP_TOKENS = 6000
MAP_SHARE = 5
"""The map takes at most one part in so many of what the model reads at once, and similar code as much again."""
SIMILAR = 6
SIMILAR_CHARS = 3000
"""Of each similar piece of code."""
CHARS_A_TOKEN = 4

_PURPOSES = {
    "bug": "A bug is to be repaired. Plan a test that shows it first: it fails now and passes afterwards.",
    "feature": "Something new is wanted. Plan tests that say so first: they fail now and pass afterwards.",
    "existing": "Only tests are wanted, for what the code does today: they pass as soon as they are written.",
}


def written_down(workflow: Workflow) -> PlannedWork | None:
    """The work that a workflow's file names; None where a model has to plan it."""
    return PlannedWork(goal=workflow.description, work=workflow.work) if workflow.work else None


async def understand(run: Engine, job: Job, seen: Seen, planner: DescribeResult) -> PlannedWork:
    """Have a planner read the request and the repository, and say what is to be done.

    Raises:
        OverBudget: the run may not spend so much.
        CouldNot: it gave no plan that can be carried out.
    """
    async with run.step("understand") as step:
        planned = await _planned(step, job, seen, planner)
        step.summary = planned.goal
        return planned


async def _planned(step: Step, job: Job, seen: Seen, planner: DescribeResult) -> PlannedWork:
    task, run = job.task, job.task.run
    wanted = "\n".join([task.request, *(each.text for each in task.criteria)])[:MAX_WORDS_CHARS]
    share = min(MAP_TOKENS, planner.context_tokens // MAP_SHARE)
    mapped = await step.call("repository.map", MapParams(run=run, words=wanted, tokens=share), MapResult)
    tree = await step.call("repository.list", ListParams(run=run, limit=MAX_FILES), ListResult)
    files = {each.path for each in tree.files}
    alike = await step.call("repository.similar", SimilarParams(run=run, like=wanted, limit=SIMILAR), SimilarResult)
    may = agents(job.workflow.steps)
    values = {
        "workflow": f"{job.workflow.title}. {job.workflow.description}".strip(),
        "request": fenced("\n".join([task.request, *(f"See {link}" for link in task.links)])),
        "criteria": listed(task.criteria),
        "avoid": ", ".join(map(name, task.avoid)) or "nothing was named",
        "agents": ", ".join(sorted(may)),
        "purpose": _PURPOSES[job.workflow.purpose],
        "tests": words.counts(seen.suite.counts),
        "map": fenced(mapped.text),
        "similar": _similar(alike, share * CHARS_A_TOKEN) or "None was found.",
    }

    def problem(found: PlannedWork) -> str:
        wrong = work_problem(found.work, may, task.avoid) or tree_problem(found.work, files)
        if not wrong and "test_writer" in may and not any(each.agent == "test_writer" for each in found.work):
            return "no item writes tests; without one nothing can show that the work is done"
        return wrong

    return await minds.ask(step, run, "plan", values, PlannedWork, problem)


def _similar(alike: SimilarResult, chars: int) -> str:
    """The most similar code, as much of it as fits."""
    shown: list[str] = []
    for each in alike.found:
        text = each.text[: min(SIMILAR_CHARS, chars)]
        chars -= len(text)
        if text:
            shown.append(f"{name(each.path)}, {name(each.name)}:\n\n{fenced(text)}")
    return "\n\n".join(shown)


def listed(criteria: Sequence[Criterion]) -> str:
    """Acceptance criteria with their ids, in a fence."""
    return fenced("\n".join(f"{each.id}: {each.text}" for each in criteria) or "None were given.")


def described(plan: Plan, only: Sequence[str] = ()) -> str:
    """The plan's work in words, a line an item; of `only` those ids, where some are named."""
    return "\n".join(
        f"{item.id} ({item.agent}, {item.path}): {item.instruction}"
        for item in plan.work
        if not only or item.id in only
    )
