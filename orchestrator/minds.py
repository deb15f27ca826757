"""Asking models: whether they are there, and for values of contracts; a template goes out, a value comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from contracts.base import Model
from contracts.model import CompleteParams, CompleteResult, DescribeParams, DescribeResult, Role, Turn
from contracts.prompt import Prompt
from orchestrator.engine import Engine, Step
from orchestrator.errors import CouldNot, OverBudget

R = TypeVar("R", bound=Model)

PROMPTS = Path(__file__).parent / "prompts"
ROLES: tuple[Role, ...] = ("planner", "writer")
ATTEMPTS = 2
"""How often it is asked for one value: again once, with what was wrong with the first answer."""


@cache
def prompt(name: str) -> Prompt:
    """A template of `orchestrator/prompts/`."""
    return Prompt.of(name, (PROMPTS / f"{name}.md").read_text(encoding="utf-8"))


async def ready(run: Engine, of: str) -> DescribeResult:
    """The model that plans in run `of`, once it and the one that writes are seen to be there.

    Raises:
        CouldNot: one of them cannot be asked.
        CallFailed: none is configured, or the model server cannot be asked.
    """
    async with run.step("models") as step:
        found = {
            role: await step.call("model.describe", DescribeParams(run=of, role=role), DescribeResult, part=role)
            for role in ROLES
        }
        for role, model in found.items():
            if not model.ready:
                raise CouldNot(
                    f"This workflow needs a model as its {role}, and {model.model} cannot be asked: {model.why_not}.",
                    f"{model.way_out} See docs/models.md.".strip(),
                )
        step.summary = ", ".join(f"{role}: {model.model} at {model.endpoint}" for role, model in found.items())
        return found["planner"]


async def ask(
    step: Step,
    run: str,
    name: str,
    values: Mapping[str, str],
    reply: type[R],
    problem: Callable[[R], str],
) -> R:
    """The planner model's answer to template `name`, as a `reply` that `problem` finds nothing wrong with.

    Raises:
        OverBudget: the run may not spend so much.
        CouldNot: there was no answer, or twice none that can be used.
        CallFailed: the model server cannot be asked.
    """
    template = prompt(name)
    turns = [Turn(role="user", text=template.user.fill(**values))]
    wrong = ""
    for attempt in range(1, ATTEMPTS + 1):
        params = CompleteParams(
            run=run,
            role="planner",
            prompt=template.reference,
            system=template.system.text,
            turns=tuple(turns),
            reply_name=name,
            reply_schema=reply.model_json_schema(),
        )
        answer = await step.call("model.complete", params, CompleteResult, part=name if attempt == 1 else f"{name}-2")
        if answer.failure is not None:
            stop = OverBudget if answer.failure.kind == "budget" else CouldNot
            raise stop(f"The planner gave no {name}: {answer.failure.message}", answer.failure.way_out)
        try:
            found = reply.model_validate(answer.reply)
            wrong = problem(found)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
            found = None
        if found is not None and not wrong:
            return found
        said = json.dumps(answer.reply, ensure_ascii=False)
        turns += [
            Turn(role="assistant", text=said),
            Turn(role="user", text=f"That cannot be used: {wrong}. Answer again, in full, with that put right."),
        ]
    raise CouldNot(
        f"The planner's {name} could not be used, twice: {wrong}.",
        "Say more in the request, or choose another model: --model planner=…",
    )
