"""The steps of the loop, up to a change that holds."""

from __future__ import annotations

from bus.errors import CallFailed
from contracts import diff
from contracts.bundle import Bundle, Commit
from contracts.code_writer import Feedback, Proposal, ProposeParams, ProposeResult
from contracts.gate import Escalation, GateDecision, PatchSet
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
from orchestrator.checks import lint, run_suite
from orchestrator.compare import red
from orchestrator.engine import Engine
from orchestrator.errors import CouldNot, Refused
from orchestrator.job import Accepted, Choice, Job, Opened, Seen
from orchestrator.parallel import both
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


async def propose(run: Engine, plan: Plan, head: str, number: int, feedback: tuple[Feedback, ...]) -> PatchSet:
    """Have plausible patches looked for.

    Raises:
        CouldNot: none was found; says what was tried.
    """
    async with run.step("propose", number) as step:
        params = ProposeParams(
            run=plan.run,
            request=plan.request,
            failing=plan.failing,
            feedback=feedback,
            avoid=plan.avoid,
            budget_s=plan.budgets.search_s,
            max_proposals=plan.budgets.max_proposals,
            engine=plan.engine,
            candidates=plan.budgets.candidates,
        )
        found = await step.call("code_writer.propose", params, ProposeResult)
        usable = tuple(each for each in found.proposals if _usable(each.patch, plan, feedback))
        if not usable:
            raise CouldNot(*words.nothing_found(found, number, plan.budgets.search_s))
        step.summary = f"{len(usable)} plausible of {found.tried.candidates} tried by the {found.engine}"
        return PatchSet(
            run=plan.run,
            round=number,
            head=head,
            proposals=usable,
            suspects=found.suspects,
            tried=found.tried,
            note=found.note,
            sandbox=found.sandbox,
        )


def _usable(patch: Patch, plan: Plan, feedback: tuple[Feedback, ...]) -> bool:
    """Whether a proposal is what it says, keeps off what is to be avoided, and was not turned down before."""
    try:
        honest = patch == Patch.of(patch.diff, diff.files(patch.diff))
    except diff.DiffError:
        return False
    avoided = any(
        path == prefix.rstrip("/") or path.startswith(prefix.rstrip("/") + "/")
        for path in patch.files
        for prefix in plan.avoid
    )
    return honest and not avoided and all(patch.sha256 != each.patch_sha256 for each in feedback)


async def choose(run: Engine, patches: PatchSet) -> Choice:
    """Have one of the proposals chosen, or a diff of the person's own."""
    decision = await run.gate(f"patches/{patches.round}", patches)
    match decision.verdict:
        case "approve":
            proposal = patches.proposals[decision.choice]
            return Choice(proposal.patch, proposal)
        case "modify":
            edited = decision.diff or ""
            return Choice(Patch.of(edited, diff.files(edited)))
        case "reject":
            shown = (each.patch.sha256 for each in patches.proposals)
            return Choice(None, rejected=tuple(Feedback(patch_sha256=one, reason=decision.reason) for one in shown))
        case "abort":
            raise Refused("abort", decision.reason, decision.by)


async def attempt(
    run: Engine, plan: Plan, seen: Seen, patches: PatchSet, choice: Choice
) -> Accepted | tuple[Feedback, ...]:
    """Apply the choice and check it; what does not hold is taken back and becomes feedback."""
    patch, number = choice.patch, patches.round
    assert patch is not None, "a choice without a patch is a rejection"
    before = await lint(run, plan, patch, number, "before")
    try:
        made = await _apply(run, plan, patches, patch, choice.proposal)
    except CallFailed as error:
        return (Feedback(patch_sha256=patch.sha256, reason=f"It does not apply: {error.failure.message}"),)
    after, (suite, comparison) = await both(
        lambda: lint(run, plan, patch, number, "after"), lambda: run_suite(run, plan, seen, plan.failing, number)
    )
    if comparison.verdict == "unclear":
        question = "Keep this change although the suite does not give a clear answer? Rejecting takes it back."
        escalation = Escalation(run=plan.run, round=number, question=question, diff=patch.diff, comparison=comparison)
        decision = await run.gate(f"escalation/{number}", escalation)
        if decision.verdict == "abort":
            raise Refused("abort", decision.reason, decision.by)
        reason = "" if decision.verdict == "approve" else decision.reason
    else:
        reason = "" if comparison.verdict == "better" else comparison.reason
    if not reason:
        return Accepted((made,), choice.proposal, patches, suite, comparison, before, after)
    await take_back(run, plan, patches.head, reason, number)
    return (Feedback(patch_sha256=patch.sha256, reason=reason),)


async def take_back(run: Engine, plan: Plan, head: str, reason: str, *where: object) -> None:
    """Put the worktree back to `head`."""
    async with run.step("revert", *where) as step:
        await step.call("workspace.revert", RevertParams(run=plan.run, commit=head), RevertResult)
        step.summary = reason


async def _apply(run: Engine, plan: Plan, patches: PatchSet, patch: Patch, proposal: Proposal | None) -> Commit:
    subject = proposal.summary if proposal else f"Change {', '.join(patch.files)}"
    agent = "code_writer" if proposal else "person"
    return await commit(run, plan, patch, patches.head, agent, subject, patches.round)


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
