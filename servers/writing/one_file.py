"""Writes one file as an instruction says: several versions side by side, chosen by tests and size."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from contracts.code_writer import WriteParams, WriteResult
from contracts.failure import sentence
from contracts.model import Form
from contracts.prompt import quoted
from contracts.test_runner import Candidate, CandidateResult, RunResult, TryPatchesParams, TryPatchesResult
from servers.search.localise import is_test
from servers.specialist import Call, Crew, ToolError
from servers.writing import page
from servers.writing.asker import Asker, Conversation, NoReply
from servers.writing.desk import Desk, checked
from servers.writing.forms import Change, changed, form_for
from servers.writing.prompts import part, prompt
from servers.writing.replies import CODE, Reply

TRYING_S = 120.0
_RANKS = ("plausible", "regressed", "failing")


@dataclass(frozen=True)
class Tried:
    """How a version did: less is better in `rank`, and what is said about it."""

    rank: tuple[int, ...] = ()
    words: str = "it was not tried"


class FileWriter:
    """The work behind `code_writer.write`."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    async def write(self, params: WriteParams, call: Call) -> WriteResult:
        """A patch of `params.path`, or why there is none.

        Raises:
            ToolError: invalid, for a path that may not be written; unavailable, when no model can be asked; budget,
                when one ended the asking; what repository and test runner say. It carries what was spent.
        """
        path = checked(params.path)
        if is_test(path, params.tests):
            raise ToolError("invalid", f"{path} is test code", way_out="Have test_writer write it.")
        asker, desk = Asker(self._crew, call, params.run), Desk(self._crew, call, params.run)
        old = await desk.text(path)
        form = form_for((await asker.ready()).form, path, old)
        values = await self._values(params, desk, old)
        await call.progress(0, params.candidates, f"asking for {path}")
        with asker.accounting():
            changes, notes = await self._versions(params, asker, form, old, values)
            asker.settle()
            if not changes:
                return WriteResult(patch=None, note=" ".join(["No version could be used.", *notes]), spent=asker.spent)
            await call.progress(
                len(changes), params.candidates, f"{page.count(len(changes), 'version')} of {path} written"
            )
            tried = await self._tried(params, desk, changes)
        numbers = sorted(changes, key=lambda number: (tried[number].rank, changes[number].size, number))
        best = changes[numbers[0]]
        version = f"Version {numbers[0]} of {params.candidates}"
        chosen = f"{version} was taken: {tried[numbers[0]].words}; {page.count(best.size, 'changed line')}."
        return WriteResult(patch=best.patch, summary=best.summary, note=" ".join([chosen, *notes]), spent=asker.spent)

    async def _values(self, params: WriteParams, desk: Desk, old: str | None) -> dict[str, str]:
        """What all versions are told."""
        words = f"{params.instruction}\n{params.request}\n{' '.join(params.feedback)}"
        known = {params.path, *params.reads}
        glob = "*.py" if params.path.endswith(".py") else ""
        return {
            "request": page.ticket(params.request),
            "path": page.name(params.path),
            "instruction": quoted(params.instruction),
            "criteria": page.criteria(params.criteria),
            "file": page.file(old, words),
            "reads": page.code(await desk.reads(each for each in params.reads if each != params.path)),
            "similar": page.code(await desk.similar(words, glob, known)),
            "tests": page.bullets(["\n".join(params.tests)] if params.tests else ()),
            "feedback": page.bullets(params.feedback),
        }

    async def _versions(
        self, params: WriteParams, asker: Asker, form: Form, old: str | None, values: dict[str, str]
    ) -> tuple[dict[int, Change], list[str]]:
        """Versions that can be used, by number, equal ones once; and what became of the others."""
        template, made, failed = prompt("write"), dict[int, Change](), dict[int, str]()
        system = template.system.fill(form=part(f"form_{form}").text)

        async def version(number: int) -> None:
            talk = Conversation[Reply](asker, template.reference, system, CODE[form], "change")
            talk.tell(template.user.fill(**values, version=page.version(number, params.candidates)))
            try:
                made[number] = await talk.next(lambda reply: changed(reply, params.path, old))
            except NoReply as error:
                failed[number] = str(error)

        async with anyio.create_task_group() as versions:
            for number in range(1, params.candidates + 1):
                versions.start_soon(version, number)
        different = {made[number].new: number for number in sorted(made, reverse=True)}
        notes = [sentence(f"Version {number}: {page.cut(failed[number], 600)}") for number in sorted(failed)]
        return {number: made[number] for number in sorted(different.values())}, notes

    async def _tried(self, params: WriteParams, desk: Desk, changes: dict[int, Change]) -> dict[int, Tried]:
        """How each version does by the tests, if any are named."""
        if not params.tests:
            return dict.fromkeys(changes, Tried(words="no tests were named to choose by"))
        if len(changes) > 1 and (found := await self._side_by_side(params, desk, changes)):
            return found
        found = dict[int, Tried]()
        for number, change in changes.items():
            try:
                found[number] = _by_run(await desk.tests(params.tests, change.patch.diff))
            except ToolError as error:
                found[number] = Tried((9,), f"it could not be tried ({error.failure.message})")
        return found

    async def _side_by_side(
        self, params: WriteParams, desk: Desk, changes: dict[int, Change]
    ) -> dict[int, Tried] | None:
        """All of them in one batch; None where that cannot be done, as for tests that do not fail now."""
        batch = TryPatchesParams(
            run=params.run,
            candidates=tuple(Candidate(id=str(number), diff=each.patch.diff) for number, each in changes.items()),
            failing=params.tests,
            budget_s=TRYING_S,
            enough=len(changes),
        )
        try:
            answer = await self._crew.call("test_runner.try_patches", batch, TryPatchesResult, parent=desk.call)
        except ToolError:
            return None
        results = {each.id: each for each in answer.results}
        return {number: _by_trial(results.get(str(number))) for number in changes}


def _by_trial(result: CandidateResult | None) -> Tried:
    if result is None:
        return Tried((len(_RANKS) + 1,))
    rank = _RANKS.index(result.outcome) if result.outcome in _RANKS else len(_RANKS)
    words = {
        "plausible": "it passes the tests and makes no other test worse",
        "regressed": "it passes the tests, but makes others fail",
        "failing": "the tests do not pass with it",
        "untried": "there was no time to try it",
    }
    return Tried((rank, len(result.failed)), words.get(result.outcome, f"with it the tests are {result.outcome}"))


def _by_run(result: RunResult) -> Tried:
    counts = result.counts
    bad = counts.failed + counts.error
    done = result.outcome in ("passed", "failed")
    said = f"it passes {counts.passed} of {counts.passed + bad} tests" if done else f"the tests {result.reason}"
    # Tests that could not run at all are worse than any that failed.
    return Tried((0 if result.outcome == "passed" else 1 if done else 2, bad, -counts.passed), said)
