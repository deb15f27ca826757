"""Which form of change a model is best at: small bugs, each repaired by the model in every form.

The bugs are those of `benchmarks.repair`, judged the same way: plausible by their tests, right by expressions that no
test has. The model is the writer that `models.toml` names (`PODIUM_MODELS`), with the keys of this environment;
candidates run in the sandbox. What comes out belongs into `[models."PATTERN"] form`.

    python -m benchmarks.forms [--forms function,blocks,whole,diff] [NAME …]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import get_args

import anyio

from benchmarks.repair import HERE, Bug, is_right, load
from bus.wire import JsonObject
from contracts import diff
from contracts.code_writer import ProposeParams
from contracts.config import MODELS_KEY, ModelConfig, ModelsConfig
from contracts.gate_policy import Policy
from contracts.model import Form
from contracts.run import RunStartedEvent
from contracts.spending import NOTHING, Spending
from contracts.task import Task
from contracts.workflow import Workflow, WorkflowStep
from orchestrator.keys import take_keys
from servers.model import ModelServer
from servers.repository import Repository
from servers.specialist import Room
from servers.test_runner import TestRunner
from servers.writing.engine import ModelEngine
from tests.search.together import RUN, Direct, Nobody, QuietCall, Together, together

BUDGET_S = 1800.0


class OneRun:
    """A ledger that knows one run without a budget."""

    async def run_started(self, run: str) -> RunStartedEvent:
        """See `OwnLedger.run_started`."""
        step = WorkflowStep(id="propose", title="Propose", agent="code_writer")
        workflow = Workflow(name="fix-bug", title="Fix", steps=(step,))
        return RunStartedEvent(task=Task(run=RUN, workflow="fix-bug", repo="/"), workflow=workflow, policy=Policy())

    async def own_results(self) -> AsyncIterator[tuple[str, JsonObject]]:
        """Nothing was answered before."""
        for nothing in ():
            yield nothing


@dataclass(frozen=True)
class Outcome:
    """How one bug went in one form."""

    plausible: bool
    right: bool
    tried: int
    spent: Spending
    elapsed_s: float


async def attempt(found: Together, room: Room, models: ModelsConfig, form: Form, bug: Bug) -> Outcome:
    """Have one bug repaired."""
    found.write({"subject.py": bug.wrong, "test_subject.py": f"from subject import *\n\n{bug.tests}\n"})
    failing = tuple(case.id for case in (await found.tests()).cases if case.outcome in ("failed", "error"))
    known = {name: one.model_copy(update={"form": form}) for name, one in models.models.items()}
    server = ModelServer(room, models=models.model_copy(update={"models": known or {"*": ModelConfig(form=form)}}))
    crew = Direct({"repository": Repository(room), "test_runner": TestRunner(room), "model": server})
    params = ProposeParams(
        run=RUN, request="A test fails.", failing=failing, budget_s=BUDGET_S, engine="model", paths=("subject.py",)
    )
    began = time.perf_counter()
    result = await ModelEngine(crew).propose(params, QuietCall())
    elapsed_s = time.perf_counter() - began
    right = False
    for proposal in result.proposals[:1]:
        (change,) = diff.parse(proposal.patch.diff)
        right = await is_right(found, bug, diff.apply(change, bug.wrong))
    return Outcome(bool(result.proposals), right, result.tried.candidates, result.spent, elapsed_s)


async def main(forms: list[Form], names: list[str]) -> None:
    """Print a line per form."""
    keys = take_keys().handed
    models = ModelsConfig.model_validate_json(keys[MODELS_KEY])
    bugs = [load(path) for path in sorted((HERE / "repair_bugs").glob("*.txt")) if not names or path.stem in names]
    print(f"writer {models.roles.get('writer')}, {len(bugs)} bugs")
    print(f"{'form':10}{'right':>7}{'plausible':>11}{'usable':>8}{'requests':>10}{'tokens':>9}{'seconds':>9}")
    async with together() as found:
        work = found.tree.parents[1]
        room = Room(work, work.parent / "scratch", Nobody(), found.sandbox, OneRun(), keys)
        for form in forms:
            outcomes = [await attempt(found, room, models, form, bug) for bug in bugs]
            spent = NOTHING
            for outcome in outcomes:
                spent = spent.plus(outcome.spent)
            right, plausible = sum(each.right for each in outcomes), sum(each.plausible for each in outcomes)
            usable, seconds = sum(each.tried > 0 for each in outcomes), sum(each.elapsed_s for each in outcomes)
            print(
                f"{form:10}{right:7}{plausible:11}{usable:8}{spent.requests:10}{spent.usage.total:9}{seconds:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forms", default=",".join(get_args(Form)))
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    anyio.run(partial(main, given.forms.split(","), given.names))
