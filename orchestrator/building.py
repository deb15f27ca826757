"""Carrying out planned work: item by item, tests first, checked as a whole, mended in bounded rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from bus.errors import CallFailed
from contracts.bundle import Commit
from contracts.code_writer import WriteParams, WriteResult
from contracts.gate import Escalation, GateDecision
from contracts.patch import Patch
from contracts.static_analyzer import CheckResult
from contracts.test_writer import NewTest, Purpose, WriteTestsParams, WriteTestsResult
from contracts.workflow import Plan, WorkItem
from contracts.workspace import DiffParams, DiffResult
from orchestrator import words
from orchestrator.checks import lint_tree, run_suite
from orchestrator.engine import Engine
from orchestrator.errors import Refused
from orchestrator.job import Accepted, Seen
from orchestrator.judging import Checked, judge, signed
from orchestrator.offering import offered
from orchestrator.parallel import all_of, both
from orchestrator.planner import WRITES, writing_steps
from orchestrator.showing import accepted, patch_set
from orchestrator.steps import commit, take_back
from orchestrator.text import count
from orchestrator.workplan import waves


@dataclass(frozen=True)
class Site:
    """What stands in the worktree, and what is known of it."""

    base: str
    head: str
    commits: tuple[Commit, ...] = ()
    tests: Mapping[str, tuple[NewTest, ...]] = field(default_factory=dict[str, tuple[NewTest, ...]])
    """By item of work."""
    by_model: bool = False
    """Whether a model was asked for any of it."""

    @property
    def all_tests(self) -> tuple[NewTest, ...]:
        """Every test that was written."""
        return tuple(test for tests in self.tests.values() for test in tests)


@dataclass(frozen=True)
class Again:
    """Items that are to be written again, each with what its writer is told; `by` is the person who said so, if any."""

    todo: Mapping[str, str]
    by: str | None = None

    @property
    def reason(self) -> str:
        """Why, in words."""
        return "; ".join(dict.fromkeys(filter(None, self.todo.values())))


@dataclass(frozen=True)
class Build:
    """One plan on its way to a change that holds."""

    run: Engine
    plan: Plan
    seen: Seen
    purpose: Purpose
    linted: CheckResult | None
    """What the linter said before."""
    base: str
    """Where the work starts from."""

    async def work(self) -> Accepted:
        """Write, check and mend until a person or a rule takes the change.

        Raises:
            Refused: a person said no.
            CouldNot, OverBudget: the same could not be written twice in a row, or rounds or budget are used up.
        """
        site, again, before, number = self._empty, Again({item.id: "" for item in self.plan.work}), "", 0
        while True:
            number += 1
            site, left = await self._write(site, again.todo, number)
            again = Again(left)
            if left:
                failed = signed([f"{item}: {why}" for item, why in sorted(left.items())])
                if failed == before:
                    raise words.unwritten_again(again.reason)
                before = failed
            else:
                checked = await self._check(site, number)
                outcome = await self._judged(checked, site, number, before)
                if isinstance(outcome, Accepted):
                    return outcome
                again, before = outcome, checked.signature
            if number > self.plan.fix_rounds:
                raise words.no_further_round(number, again.reason, again.by)
            if not left and (again.by is not None or self._begins_anew(again.todo)):
                await take_back(self.run, self.plan, site.base, again.reason, number)
                site = self._empty
                again = replace(again, todo={item.id: again.todo.get(item.id, "") for item in self.plan.work})

    @property
    def _empty(self) -> Site:
        return Site(self.base, self.base)

    def _begins_anew(self, todo: Mapping[str, str]) -> bool:
        """Whether what is to be done again has to start from the beginning.

        Tests can only be seen to fail where the code is not there yet, and those that were taken are not changed any
        more; so tests are written again on the tree as it was.
        """
        return any(item.agent == "test_writer" and item.id in todo for item in self.plan.work)

    async def _write(self, site: Site, todo: Mapping[str, str], number: int) -> tuple[Site, dict[str, str]]:
        """Have the items of `todo` written, each with its feedback; what is left to be done again, and why.

        No code is written before the tests for it stand.
        """
        again: dict[str, str] = {}
        left = dict(todo)
        for wave in waves(self.plan.work):
            if any(item.agent == "test_writer" and item.id in again for item in self.plan.work):
                return site, {**left, **again}
            items = [item for item in wave if item.id in todo]
            left = {name: told for name, told in left.items() if name not in {item.id for item in items}}
            written = await all_of([partial(self._item, site, item, todo[item.id], number) for item in items])
            for item, result in zip(items, written, strict=True):
                if result.patch is None:
                    again[item.id] = f"{item.path} could not be written: {result.note or result.summary}"
                    continue
                where, said = (number, item.id), result.summary or item.instruction
                try:
                    made = await commit(self.run, self.plan, result.patch, site.head, item.agent, said, *where)
                except CallFailed as error:
                    again[item.id] = f"{item.path}: what was written does not apply: {error.failure.message}"
                    continue
                tests = {item.id: result.tests} if isinstance(result, WriteTestsResult) else {}
                site = replace(
                    site,
                    head=made.head,
                    commits=(*site.commits, made),
                    tests={**site.tests, **tests},
                    by_model=site.by_model or result.spent.requests > 0,
                )
        return site, again

    async def _item(self, site: Site, item: WorkItem, feedback: str, number: int) -> WriteResult | WriteTestsResult:
        told = (feedback,) if feedback else ()
        if item.agent == "test_writer":
            async with self.run.step("write-tests", number, item.id) as step:
                asked = WriteTestsParams(
                    run=self.plan.run,
                    purpose=self.purpose,
                    request=self.plan.request,
                    path=item.path,
                    instruction=item.instruction,
                    reads=item.reads,
                    criteria=self.plan.criteria,
                    feedback=told,
                )
                tests = await step.call("test_writer.write", asked, WriteTestsResult)
                step.ok = tests.patch is not None
                step.summary = f"{item.path}: {tests.summary if tests.patch else tests.note}"
                return tests
        async with self.run.step(writing_steps(self.plan.steps)[item.agent], number, item.id) as step:
            wanted = WriteParams(
                run=self.plan.run,
                request=self.plan.request,
                path=item.path,
                instruction=item.instruction,
                reads=item.reads,
                criteria=self.plan.criteria,
                tests=tuple(test.id for test in site.all_tests),
                feedback=told,
                candidates=self.plan.budgets.candidates,
            )
            code = await step.call(f"{item.agent}.{WRITES}", wanted, WriteResult)
            step.ok = code.patch is not None
            step.summary = f"{item.path}: {code.summary if code.patch else code.note}"
            return code

    async def _check(self, site: Site, *where: object) -> Checked:
        """The whole change, seen by linter and suite."""
        async with self.run.step("review", *where) as step:
            shown = await step.call("workspace.diff", DiffParams(run=self.plan.run, base=site.base), DiffResult)
            step.summary = f"{len(shown.files)} files in {len(site.commits)} commits"
        wanted = [test.id for test in site.all_tests]
        after, (suite, comparison) = await both(
            lambda: lint_tree(self.run, self.plan, *where, "after"),
            lambda: run_suite(self.run, self.plan, self.seen, wanted, *where),
        )
        patch = Patch.of(shown.diff, shown.files)
        return Checked(
            head=site.head,
            commits=site.commits,
            tests=site.all_tests,
            by_model=site.by_model,
            patch=patch,
            suite=suite,
            comparison=comparison,
            linted_before=self.linted,
            linted_after=after,
        )

    async def _judged(self, checked: Checked, site: Site, number: int, before: str) -> Accepted | Again:
        """What becomes of a round's change; `before` is the signature of the failure of the round before."""
        if checked.comparison.verdict == "better":
            return await self._offer(checked, site, number)
        if number > self.plan.fix_rounds or not self.plan.has("judge"):
            question = f"After {count(number, 'round')}: {checked.comparison.reason}. Keep the change all the same?"
            return await self._escalate(checked, number, question)
        judgement = await judge(self.run, self.plan, checked, number, before)
        if judgement.decision == "retry":
            told: dict[str, str] = {}
            for change in judgement.changes:
                told[change.item] = "\n".join(filter(None, [told.get(change.item), change.guidance]))
            return Again(told)
        question = f"{judgement.reason} ({checked.comparison.reason}.) Keep the change all the same?"
        if judgement.decision == "accept":
            question = f"The tests do not, and the judge takes it for right: {judgement.reason} Keep the change?"
        return await self._escalate(checked, number, question)

    async def _offer(self, checked: Checked, site: Site, number: int) -> Accepted | Again:
        """Have a change that holds decided."""
        patches = patch_set(self.plan, self.base, checked, number)
        decision, own = await offered(self.run, patches, partial(self._own, site, number))
        if own is not None:
            return await self._edited(own, number)
        return self._no(decision) if decision.verdict == "reject" else accepted(checked, patches)

    async def _own(self, site: Site, number: int, patch: Patch, path: str) -> Site:
        """A person's own version in place of what was written, which stands again where theirs does not apply."""
        where = (number, path)
        await take_back(self.run, self.plan, site.base, "A person edited the diff.", *where)
        subject = f"Change {', '.join(patch.files)}"
        try:
            made = await commit(self.run, self.plan, patch, site.base, "person", subject, *where)
        except CallFailed:
            await take_back(self.run, self.plan, site.head, "The edited diff does not apply.", *where, "undone")
            raise
        return replace(site, head=made.head, commits=(made,))

    async def _edited(self, site: Site, number: int) -> Accepted | Again:
        """A person's own version is checked like what was written, and theirs to keep."""
        checked = await self._check(site, number, "edited")
        if checked.comparison.verdict != "better":
            question = f"With the edit: {checked.comparison.reason}. Keep it all the same?"
            return await self._escalate(checked, number, question, by_person=True)
        return accepted(checked, patch_set(self.plan, self.base, checked, number), by_person=True)

    async def _escalate(
        self, checked: Checked, number: int, question: str, *, by_person: bool = False
    ) -> Accepted | Again:
        """Have a person look at what is not simply better."""
        escalation = Escalation(
            run=self.plan.run,
            round=number,
            question=question,
            diff=checked.patch.diff,
            comparison=checked.comparison,
        )
        decision = await self.run.gate(f"escalation/{number}", escalation)
        if decision.verdict == "abort":
            raise Refused("abort", decision.reason, decision.by)
        if decision.verdict == "reject":
            return self._no(decision)
        return accepted(checked, patch_set(self.plan, self.base, checked, number), by_person=by_person)

    def _no(self, decision: GateDecision) -> Again:
        """A rejection: everybody begins anew, and is told why."""
        return Again({item.id: decision.reason for item in self.plan.work}, decision.by)
