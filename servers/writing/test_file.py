"""Writes one test file: asks, checks that nothing old is weakened, runs, and sends back what does not hold."""

from __future__ import annotations

from contracts.prompt import quoted
from contracts.sandbox import SandboxReport
from contracts.test_names import decides_tests, holds_tests
from contracts.test_runner import RunResult
from contracts.test_writer import NewTest, WriteTestsParams, WriteTestsResult
from servers.search.source import Unreadable, parse
from servers.specialist import Call, Crew, ToolError
from servers.writing import page
from servers.writing.asker import Asker, Conversation, NoReply
from servers.writing.desk import Desk, checked
from servers.writing.forms import Change, changed, form_for
from servers.writing.intact import weakened
from servers.writing.locate import Mismatch
from servers.writing.prompts import part, prompt
from servers.writing.replies import TESTS, DeclaredTest, Reply, WithTests
from servers.writing.verdict import Before, Verdict, empty_tests, judged

ROUNDS = 2
"""Further rounds, in which tests that do not hold go back with their results."""


class TestFileWriter:
    """The work behind `test_writer.write`."""

    __test__ = False

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    async def write(self, params: WriteTestsParams, call: Call) -> WriteTestsResult:
        """Tests that hold, or why there are none.

        Raises:
            ToolError: invalid, for a path that is no test file's; unavailable, when no model can be asked; budget,
                when one ended the asking; what repository and test runner say. It carries what was spent.
        """
        asker, desk = Asker(self._crew, call, params.run), Desk(self._crew, call, params.run)
        path = checked(params.path)
        if decides_tests(path) or not holds_tests(path):
            raise ToolError("invalid", f"a test file (test_*.py or *_test.py) is expected, found {path}")
        old = await desk.text(path)
        if problem := _unreadable(old):
            return WriteTestsResult(patch=None, note=f"{path} is not valid Python, so nothing is added: {problem}")
        form = form_for((await asker.ready()).form, path, old)
        await call.progress(0, ROUNDS + 1, f"looking at {path}")
        ran = await desk.tests((path,)) if old is not None else None
        before = Before.of(path, old, ran)
        template = prompt("tests")
        system = template.system.fill(form=part(f"form_{form}").text)
        talk = Conversation[Reply](asker, template.reference, system, TESTS[form], "tests")
        talk.tell(template.user.fill(**await _values(params, desk, old)))
        with asker.accounting():
            result = await self._rounds(params, talk, desk, before)
            asker.settle()
        return result.model_copy(update={"spent": asker.spent})

    async def _rounds(
        self, params: WriteTestsParams, talk: Conversation[Reply], desk: Desk, before: Before
    ) -> WriteTestsResult:
        verdict, sandbox = Verdict((), ()), None
        for number in range(ROUNDS + 1):
            await desk.call.progress(number, ROUNDS + 1, f"round {number + 1}: asking for tests in {params.path}")
            try:
                change, declared = await talk.next(lambda reply: _checked_change(reply, before))
            except NoReply as error:
                why = [f"No usable tests were written: {page.cut(str(error), 2000)}", *_said(verdict)]
                return WriteTestsResult(patch=None, note="\n".join(why), sandbox=sandbox)
            await desk.call.progress(number, ROUNDS + 1, f"round {number + 1}: running the tests")
            ran, verdict = await self._run(params, desk, before, change)
            sandbox = ran.sandbox
            if not verdict.problems:
                return _result(params, change, declared, verdict, sandbox)
            talk.tell(part("tried").fill(results=_results(verdict)))
        note = "\n".join([f"The tests did not hold, after {ROUNDS + 1} rounds.", *_said(verdict)])
        return WriteTestsResult(patch=None, note=note, sandbox=sandbox)

    async def _run(
        self, params: WriteTestsParams, desk: Desk, before: Before, change: Change
    ) -> tuple[RunResult, Verdict]:
        patch = change.patch.diff
        ran = await desk.tests((params.path,), patch)
        verdict = judged(params.purpose, before, change.new, ran)
        if params.purpose != "existing" or verdict.problems:
            return ran, verdict
        again = await desk.tests((params.path,), patch)
        return ran, judged(params.purpose, before, change.new, ran, again)


def _unreadable(text: str | None) -> str:
    try:
        parse(text or "")
    except Unreadable as error:
        return str(error)
    return ""


async def _values(params: WriteTestsParams, desk: Desk, old: str | None) -> dict[str, str]:
    """What the model is shown."""
    words = f"{params.instruction}\n{params.request}"
    known = {params.path, *params.reads}
    return {
        "request": page.ticket(params.request),
        "path": page.name(params.path),
        "instruction": quoted(params.instruction),
        "purpose": part(f"purpose_{params.purpose}").text,
        "criteria": page.criteria(params.criteria),
        "file": page.file(old, words),
        "reads": page.code(await desk.reads(each for each in params.reads if each != params.path)),
        "similar": page.code(await desk.similar(words, "test_*.py", known)),
        "feedback": page.bullets(params.feedback),
    }


def _checked_change(reply: Reply, before: Before) -> tuple[Change, tuple[DeclaredTest, ...]]:
    """The change, if it fits the file, weakens no old test, and its new tests can say something."""
    change = changed(reply, before.path, before.text)
    if harm := weakened(before.text, change.new):
        listed = "\n".join(f"- {each}" for each in harm[:12])
        raise Mismatch(f"Existing tests have to stay as they are, out of reach of what is new. With it:\n{listed}")
    if empty := list(empty_tests(before.written(change.new), change.new)):
        raise Mismatch("Tests have to depend on the code under test:\n" + "\n".join(f"- {each}" for each in empty[:12]))
    return change, reply.tests if isinstance(reply, WithTests) else ()


def _results(verdict: Verdict) -> str:
    bad = [each for each in verdict.tests if any(problem.startswith(each.id) for problem in verdict.problems)]
    return f"{page.bullets(verdict.problems[:8])}\n\n{page.cases(each for each in bad if each.detail)}"


def _said(verdict: Verdict) -> list[str]:
    return [f"- {page.cut(each, 500)}" for each in verdict.problems[:8]]


def _result(
    params: WriteTestsParams,
    change: Change,
    declared: tuple[DeclaredTest, ...],
    verdict: Verdict,
    sandbox: SandboxReport,
) -> WriteTestsResult:
    known = {each.id for each in params.criteria}
    claims: dict[str, list[str]] = {}
    for each in declared:
        claims.setdefault(_bare(each.name), []).extend(name for name in each.criteria if name in known)
    tests = tuple(
        NewTest(id=test.id, outcome=test.outcome, criteria=tuple(dict.fromkeys(claims.get(_bare(test.id), ()))))
        for test in verdict.tests
    )
    how = "pass on the code as it is, twice" if params.purpose == "existing" else "fail on the code as it is"
    note = f"{page.count(len(tests), 'new test')}; all {how}."
    if any(test.outcome == "error" for test in tests):
        note += f" What is missing: {verdict.tests[0].message}"
    return WriteTestsResult(patch=change.patch, summary=change.summary, tests=tests, note=note, sandbox=sandbox)


def _bare(name: str) -> str:
    """A test's own name, in whatever way it was qualified."""
    return name.split("[", 1)[0].rsplit("::", 1)[-1].rsplit(".", 1)[-1]
