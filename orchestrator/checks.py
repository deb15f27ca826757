"""What a change is checked by: the linter and the whole suite."""

from __future__ import annotations

from collections.abc import Sequence

from bus.errors import CallFailed
from contracts import diff
from contracts.bundle import Comparison
from contracts.patch import Patch
from contracts.static_analyzer import CheckParams, CheckResult
from contracts.test_runner import RunParams, RunResult
from contracts.workflow import Plan
from orchestrator import words
from orchestrator.compare import compare
from orchestrator.engine import Engine
from orchestrator.job import Seen


async def lint(run: Engine, plan: Plan, patch: Patch, *where: object) -> CheckResult | None:
    """What the linter says about the files `patch` touches; None where it is left out or fails.

    `where` ends with "before" or "after" the change.
    """
    when = where[-1]
    paths = tuple(
        each.path for each in diff.parse(patch.diff) if not (each.created if when == "before" else each.deleted)
    )
    if not plan.has("analyse") or not paths:
        return None
    try:
        async with run.step("analyse", *where) as step:
            checked = await step.call("static_analyzer.check", CheckParams(run=plan.run, paths=paths), CheckResult)
            step.summary = f"{len(checked.findings)} findings {when} the change"
            return checked
    except CallFailed:
        return None


async def lint_tree(run: Engine, plan: Plan, *where: object) -> CheckResult | None:
    """What the linter says about the whole tree; None where it is left out or fails."""
    if not plan.has("analyse"):
        return None
    try:
        async with run.step("analyse", *where) as step:
            checked = await step.call("static_analyzer.check", CheckParams(run=plan.run), CheckResult)
            step.summary = f"{checked.total} findings {where[-1]} the change"
            return checked
    except CallFailed:
        return None


async def run_suite(
    run: Engine, plan: Plan, seen: Seen, wanted: Sequence[str], *where: object
) -> tuple[RunResult, Comparison]:
    """The whole suite with the change, by which `wanted` are to pass.

    What got worse is asked a second time, because a test can be flaky.
    """
    async with run.step("test", *where) as step:
        params = RunParams(run=plan.run, timeout_s=plan.budgets.test_timeout_s)
        suite = await step.call("test_runner.run", params, RunResult, part="suite")
        comparison = compare(seen.suite, suite, wanted)
        if comparison.regressed:
            again = params.model_copy(update={"tests": comparison.regressed})
            repeated = await step.call("test_runner.run", again, RunResult, part="repeated")
            comparison = words.unless_flaky(comparison, repeated)
        step.ok, step.summary = comparison.verdict == "better", comparison.reason
        return suite, comparison
