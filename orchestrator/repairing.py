"""Repairing: patches are looked for, one is chosen, applied and checked, in bounded rounds."""

from __future__ import annotations

from dataclasses import dataclass

from bus.errors import CallFailed
from contracts import diff
from contracts.bundle import Commit, Comparison
from contracts.code_writer import Feedback, Proposal, ProposeParams, ProposeResult
from contracts.gate import Escalation, GateDecision, PatchSet
from contracts.patch import Patch
from contracts.static_analyzer import CheckResult
from contracts.test_names import decides_tests
from contracts.workflow import Plan
from orchestrator import words
from orchestrator.checks import lint, run_suite
from orchestrator.engine import Engine
from orchestrator.errors import CouldNot, Refused
from orchestrator.job import Accepted, Seen
from orchestrator.judging import signature
from orchestrator.offering import offered
from orchestrator.parallel import both
from orchestrator.steps import commit, take_back


@dataclass(frozen=True)
class TurnedDown:
    """Patches that are not kept, by their sha256, and why; `by` is the person who said so, where one did."""

    patches: tuple[str, ...]
    reason: str
    by: str | None = None
    signature: str = ""
    """Of the failure it was for."""


async def repair(run: Engine, plan: Plan, seen: Seen, head: str) -> Accepted:
    """Propose, choose, apply and check, until a change holds.

    Raises:
        Refused: a person aborted, or rejected what the last round brought.
        CouldNot, OverBudget: nothing was found, or the rounds or the budget are used up.
    """
    feedback, before, number = list[Feedback](), "", 0
    while True:
        number += 1
        patches = await propose(run, plan, head, number, tuple(feedback))
        outcome = await attempt(run, plan, seen, patches, before)
        if isinstance(outcome, Accepted):
            return outcome
        if number > plan.fix_rounds:
            raise words.no_further_round(number, outcome.reason, outcome.by)
        feedback += [Feedback(patch_sha256=patch, reason=outcome.reason) for patch in outcome.patches]
        before = outcome.signature


async def propose(run: Engine, plan: Plan, head: str, number: int, feedback: tuple[Feedback, ...]) -> PatchSet:
    """Have plausible patches looked for.

    Raises:
        CouldNot: none was found; says what was tried.
    """
    async with run.step("propose", number) as step:
        params = ProposeParams(
            run=plan.run,
            request=words.wanted(plan),
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
            raise CouldNot(*words.nothing_found(found, number, plan))
        step.summary = f"{len(usable)} plausible of {found.tried.candidates} tried by the {found.engine}"
        return PatchSet(
            run=plan.run,
            round=number,
            head=head,
            proposals=usable,
            engine=found.engine,
            suspects=found.suspects,
            tried=found.tried,
            note=found.note,
            sandbox=found.sandbox,
        )


def _usable(patch: Patch, plan: Plan, feedback: tuple[Feedback, ...]) -> bool:
    """Whether a proposal is what it says, keeps off what it may not change, and was not turned down before."""
    try:
        honest = patch == Patch.of(patch.diff, diff.files(patch.diff))
    except diff.DiffError:
        return False
    avoided = any(map(decides_tests, patch.files)) or any(
        path == prefix.rstrip("/") or path.startswith(prefix.rstrip("/") + "/")
        for path in patch.files
        for prefix in plan.avoid
    )
    return honest and not avoided and all(patch.sha256 != each.patch_sha256 for each in feedback)


async def attempt(run: Engine, plan: Plan, seen: Seen, patches: PatchSet, before: str) -> Accepted | TurnedDown:
    """Have one of `patches` chosen, apply it and check it; what does not hold is taken back.

    `before` is the signature of the round before's failure: the same one again goes to a person.
    """

    async def put(patch: Patch, path: str) -> _Put:
        return await _put(run, plan, patches, patch, None, path)

    decision, own = await offered(run, patches, put)
    if decision.verdict == "reject":
        return TurnedDown(tuple(each.patch.sha256 for each in patches.proposals), decision.reason, decision.by)
    if own is not None:
        return await _check(run, plan, seen, patches, own, before)
    proposal = patches.proposals[decision.choice]
    try:
        chosen = await _put(run, plan, patches, proposal.patch, proposal)
    except CallFailed as error:
        return TurnedDown((proposal.patch.sha256,), f"It does not apply: {error.failure.message}")
    return await _check(run, plan, seen, patches, chosen, before)


@dataclass(frozen=True)
class _Put:
    """A patch that stands in the worktree; without a proposal it is a person's own."""

    patch: Patch
    proposal: Proposal | None
    commit: Commit
    linted: CheckResult | None
    """What the linter said before."""


async def _put(run: Engine, plan: Plan, patches: PatchSet, patch: Patch, proposal: Proposal | None, *path: str) -> _Put:
    where = (patches.round, *path)
    linted = await lint(run, plan, patch, *where, "before")
    subject = proposal.summary if proposal else f"Change {', '.join(patch.files)}"
    agent = "code_writer" if proposal else "person"
    return _Put(patch, proposal, await commit(run, plan, patch, patches.head, agent, subject, *where), linted)


async def _check(
    run: Engine, plan: Plan, seen: Seen, patches: PatchSet, put: _Put, before: str
) -> Accepted | TurnedDown:
    number = patches.round
    after, (suite, comparison) = await both(
        lambda: lint(run, plan, put.patch, number, "after"), lambda: run_suite(run, plan, seen, plan.failing, number)
    )
    accepted = Accepted((put.commit,), put.proposal, patches, suite, comparison, put.linted, after)
    if comparison.verdict == "better":
        return accepted
    failure, reason, by = signature(suite, comparison), comparison.reason, None
    if comparison.verdict == "unclear" or failure == before:
        decision = await _escalate(run, patches, put.patch, comparison, again=failure == before)
        if decision.verdict == "approve":
            return accepted
        reason, by = decision.reason, decision.by
    await take_back(run, plan, patches.head, reason, number)
    return TurnedDown((put.patch.sha256,), reason, by, failure)


async def _escalate(
    run: Engine, patches: PatchSet, patch: Patch, comparison: Comparison, *, again: bool
) -> GateDecision:
    """A person's decision on a change that a rule cannot judge, or that fails as the one before it did."""
    why = "The same failure came twice in a row." if again else "The suite does not give a clear answer."
    question = f"{why} Keep this change all the same? Rejecting takes it back."
    escalation = Escalation(
        run=patches.run, round=patches.round, question=question, diff=patch.diff, comparison=comparison
    )
    decision = await run.gate(f"escalation/{patches.round}", escalation)
    if decision.verdict == "abort":
        raise Refused("abort", decision.reason, decision.by)
    return decision
