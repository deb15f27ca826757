"""The steps that every loop takes: take the repository in, see how it stands, agree on a plan, apply, take back."""

from __future__ import annotations

from contracts.bundle import Bundle, Commit
from contracts.gate import Escalation, GateDecision
from contracts.patch import Patch
from contracts.planning import PlannedWork
from contracts.test_runner import RunParams, RunResult
from contracts.workflow import Plan
from contracts.workspace import (
    ApplyParams,
    ApplyResult,
    CommitParams,
    CommitResult,
    OpenParams,
    OpenResult,
    RevertParams,
    RevertResult,
)
from orchestrator import words
from orchestrator.compare import red
from orchestrator.engine import Engine
from orchestrator.errors import Refused
from orchestrator.job import Job, Opened, Seen
from orchestrator.planner import make_plan
from orchestrator.ports import TakenIn


async def ingest(run: Engine, job: Job) -> Opened:
    """Take in the repository and open the run's worktree."""
    async with run.step("ingest") as step:
        taken = await step.record("taken", lambda: job.checkout.take_in(job.task), TakenIn)
        opened = await step.call("workspace.open", OpenParams(run=job.task.run, base=taken.base), OpenResult)
        step.summary = " ".join([f"{opened.files} files at {taken.base[:12]}.", *taken.notes])
        return Opened(taken.base, opened.branch, opened.head, taken.notes)


async def reproduce(run: Engine, job: Job) -> Seen:
    """See the task's tests fail, and how the whole suite stands."""
    task, timeout_s = job.task, job.workflow.budgets.test_timeout_s
    async with run.step("reproduce") as step:
        asked = RunParams(run=task.run, tests=task.tests, timeout_s=timeout_s)
        shown = await step.call("test_runner.run", asked, RunResult, part="tests")
        failing = words.failing_or_why_not(task.tests, shown)
        whole = RunParams(run=task.run, timeout_s=timeout_s)
        suite = await step.call("test_runner.run", whole, RunResult, part="suite")
        words.check_baseline(suite, failing)
        step.summary = f"{len(failing)} failing as described; the suite: {words.counts(suite.counts)}"
        return Seen(failing, suite)


async def survey(run: Engine, job: Job) -> Seen:
    """See how the whole suite stands, for work that no failing test asks for."""
    async with run.step("survey") as step:
        params = RunParams(run=job.task.run, timeout_s=job.workflow.budgets.test_timeout_s)
        suite = await step.call("test_runner.run", params, RunResult, part="suite")
        words.check_baseline(suite, ())
        step.summary = f"the suite: {words.counts(suite.counts)}"
        return Seen((), suite)


async def agree_on_plan(run: Engine, job: Job, seen: Seen, planned: PlannedWork | None = None) -> Plan:
    """Make the plan and have it decided; an edited plan is the plan."""

    async def make() -> Plan:
        others = [test for test in red(seen.suite) if test not in seen.failing]
        facts = [f"The suite before: {words.counts(seen.suite.counts)} in {seen.suite.duration_s:.1f} s."]
        facts += [f"{len(others)} other tests fail already and are left alone."] if others else []
        facts += [f"See {link}" for link in job.task.links]
        facts += [f"Tests run in a sandbox of level {seen.suite.sandbox.level}."]
        return make_plan(job.workflow, job.task, job.offered, seen.failing, facts, planned)

    async with run.step("plan") as step:
        plan = await step.record("made", make, Plan)
        decision = await approved(run, "plan", plan)
        agreed = decision.plan or plan
        of = f"{len(agreed.work)} items of work" if agreed.work else f"{len(agreed.steps)} steps"
        step.summary = f"{of}, {agreed.fix_rounds + 1} rounds at most"
        return agreed


async def approved(run: Engine, path: str, subject: Plan | Bundle | Escalation) -> GateDecision:
    """The decision to go on.

    Raises:
        Refused: it was rejected or aborted.
    """
    decision = await run.gate(path, subject)
    if decision.verdict in ("reject", "abort"):
        raise Refused("reject" if decision.verdict == "reject" else "abort", decision.reason, decision.by)
    return decision


async def take_back(run: Engine, plan: Plan, head: str, reason: str, *where: object) -> None:
    """Put the worktree back to `head`."""
    async with run.step("revert", *where) as step:
        await step.call("workspace.revert", RevertParams(run=plan.run, commit=head), RevertResult)
        step.summary = reason


async def commit(run: Engine, plan: Plan, patch: Patch, head: str, agent: str, subject: str, *where: object) -> Commit:
    """Apply `patch` to the worktree as it stands at `head`, and commit it in `agent`'s name.

    Raises:
        CallFailed: it does not apply.
    """
    async with run.step("apply", *where) as step:
        params = ApplyParams(run=plan.run, diff=patch.diff, expected_head=head)
        applied = await step.call("workspace.apply", params, ApplyResult)
        title = words.subject(subject)
        said = CommitParams(run=plan.run, step=step.path, agent=agent, subject=title, body=words.body(plan))
        new = (await step.call("workspace.commit", said, CommitResult)).head
        step.summary = f"+{applied.added_lines} −{applied.removed_lines} in {', '.join(applied.files)}"
        return Commit(step=step.path, agent=agent, head=new, subject=title)
