"""What a round came to, and what follows: by rule where it is clear, by a model where it is not, else by a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.base import sha256
from contracts.bundle import Commit, Comparison
from contracts.judgement import Judgement
from contracts.patch import Patch
from contracts.prompt import fenced
from contracts.static_analyzer import CheckResult, Finding
from contracts.test_runner import RunResult, TestCase
from contracts.test_writer import NewTest
from contracts.workflow import Plan
from orchestrator import minds
from orchestrator.compare import RED, new_findings
from orchestrator.engine import Engine
from orchestrator.planning import described, listed

MAX_FAILURES = 6
DETAIL_CHARS = 2500
"""Of each failing test's report; its end says most."""
CHANGE_CHARS = 24_000
MAX_FINDINGS = 30
_ADDRESS = re.compile(r"0x[0-9a-f]+")


@dataclass(frozen=True)
class Checked:
    """A round's change with everything that is known about it."""

    head: str
    commits: tuple[Commit, ...]
    tests: tuple[NewTest, ...]
    by_model: bool
    """Whether a model was asked for any of it."""
    patch: Patch
    suite: RunResult
    comparison: Comparison
    linted_before: CheckResult | None
    linted_after: CheckResult | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the linter has to say that it had not before."""
        before, after = self.linted_before, self.linted_after
        return new_findings(before.findings, after.findings) if before and after else ()

    @property
    def failures(self) -> tuple[TestCase, ...]:
        """The tests that keep it from being better."""
        return failures(self.suite, self.comparison)

    @property
    def signature(self) -> str:
        """The same for the same failure."""
        return signature(self.suite, self.comparison)


def failures(suite: RunResult, comparison: Comparison) -> tuple[TestCase, ...]:
    """The tests that keep a change from being better."""
    named = {*comparison.regressed, *comparison.still_failing}
    return tuple(case for case in suite.cases if case.outcome in RED and case.id in named)


def signature(suite: RunResult, comparison: Comparison) -> str:
    """The same for the same failure, wherever its objects lay in memory."""
    said = [f"{case.id} {case.message}" for case in failures(suite, comparison)] or [comparison.reason]
    return signed([comparison.verdict, *sorted(said)])


def signed(said: Sequence[str]) -> str:
    """The same for the same words, wherever the objects they speak of lay in memory."""
    return sha256(_ADDRESS.sub("0x", "\n".join(said)).encode())


async def judge(run: Engine, plan: Plan, checked: Checked, number: int, before: str) -> Judgement:
    """What is to follow on a round that is not simply better; `before` is the signature of the one before it.

    Raises:
        OverBudget: the run may not spend so much.
        CouldNot: no judgement was to be had.
    """
    if checked.signature == before:
        return Judgement(decision="escalate", reason="The same failure came twice in a row.")
    async with run.step("judge", number) as step:
        values = {
            "request": fenced(plan.request),
            "criteria": listed(plan.criteria),
            "work": fenced(described(plan)),
            "outcome": fenced(f"{checked.comparison.verdict}: {checked.comparison.reason}"),
            "failures": "\n\n".join(map(_failure, checked.failures[:MAX_FAILURES])) or _tail(checked.suite),
            "findings": fenced(_findings(checked.findings)),
            "change": fenced(checked.patch.diff[:CHANGE_CHARS], "diff"),
        }
        ids = {item.id for item in plan.work}

        def problem(found: Judgement) -> str:
            if found.decision == "retry" and not found.changes:
                return "a retry has to say what to change"
            unknown = sorted({change.item for change in found.changes} - ids)
            return f"there is no item {', '.join(unknown)}; there are {', '.join(sorted(ids))}" if unknown else ""

        judgement = await minds.ask(step, plan.run, "judge", values, Judgement, problem)
        step.summary = f"{judgement.decision}: {judgement.reason}"
        return judgement


def _failure(case: TestCase) -> str:
    return fenced(f"{case.id}: {case.message}\n{case.detail[-DETAIL_CHARS:]}")


def _tail(suite: RunResult) -> str:
    return fenced("\n".join(filter(None, ["None is known by name.", suite.reason, suite.output_tail[-DETAIL_CHARS:]])))


def _findings(findings: tuple[Finding, ...]) -> str:
    lines = [f"{each.path}:{each.line}: {each.rule} {each.message}" for each in findings[:MAX_FINDINGS]]
    return "\n".join(lines) or "None."
