"""Work that was checked, as it is shown at the gate for patches and as it is accepted there. Pure."""

from __future__ import annotations

from contracts.code_writer import Proposal
from contracts.gate import PatchSet
from contracts.test_runner import Evidence
from contracts.workflow import Plan
from orchestrator import words
from orchestrator.job import Accepted
from orchestrator.judging import Checked


def patch_set(plan: Plan, base: str, checked: Checked, number: int) -> PatchSet:
    """The change of round `number`, made from commit `base`, as the one proposal there is."""
    counts = checked.suite.counts
    evidence = Evidence(
        suite_passed=counts.passed,
        suite_failed=counts.failed + counts.error,
        observed=False,
        tests_through=0,
        calls_observed=0,
        calls_changed=0,
    )
    proposal = Proposal(
        patch=checked.patch,
        summary=plan.goal or checked.commits[-1].subject,
        evidence=evidence,
        rank_reasons=(f"{checked.comparison.reason}.", *words.tests_written(checked.tests)),
    )
    return PatchSet(
        run=plan.run,
        round=number,
        head=base,
        proposals=(proposal,),
        engine="model" if checked.by_model else "agent",
        commits=checked.commits,
        sandbox=checked.suite.sandbox,
    )


def accepted(checked: Checked, patches: PatchSet, *, by_person: bool = False) -> Accepted:
    """The change with all that is known of it; a person's own version has no proposal."""
    return Accepted(
        commits=checked.commits,
        proposal=None if by_person else patches.proposals[0],
        patches=patches,
        suite=checked.suite,
        comparison=checked.comparison,
        linted_before=checked.linted_before,
        linted_after=checked.linted_after,
        tests=checked.tests,
    )
