"""`test_writer.write`: tests that hold, by running them; what does not hold, or weakens, goes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.failure import Failure
from contracts.model import Form
from contracts.test_runner import Frame, RunParams, RunResult, TestCase, TestOutcome
from contracts.test_writer import WriteTestsParams, WriteTestsResult
from servers.specialist import ToolError
from servers.test_writer import TestWriter
from servers.writing.verdict import functions_of
from tests.search.scripted import ScriptedCall
from tests.writing.scripted import ONE, RUN, Answer, Crew, blocks, failed, ran, room

PATH = "tests/test_shop.py"
OLD = "from shop import area\n\n\ndef test_zero():\n    assert area(0, 0) == 0\n"
NEW = "\n\ndef test_area():\n    assert area(7, 8) == 56\n"
DECLARED = {"tests": [{"name": "test_area", "criteria": ["c1", "unknown"]}]}
END = "    assert area(0, 0) == 0"
GOOD = blocks(END, END + "\n" + NEW, **DECLARED)
Outcomes = dict[str, TestOutcome | TestCase]


def added(text: str) -> dict[str, object]:
    """A reply that adds to the file."""
    return blocks(END, f"{END}\n\n\n{text}", tests=[])


def runs(*said: Outcomes | RunResult) -> Callable[[str, RunParams], RunResult]:
    """Each run with a change gives the next of these for the new tests; the old one passes."""
    left = list(said)

    def run(text: str, params: RunParams) -> RunResult:
        assert params.tests == (PATH,)
        if not text:
            return ran({f"{PATH}::test_zero": "passed"})
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, RunResult):
            return answer
        cases: Outcomes = {f"{PATH}::test_zero": "passed"}
        cases |= {f"{PATH}::{name}": _named(name, case) for name, case in answer.items()}
        return ran(cases)

    return run


def _named(name: str, case: TestOutcome | TestCase) -> TestOutcome | TestCase:
    return case.model_copy(update={"id": f"{PATH}::{name}"}) if isinstance(case, TestCase) else case


def shop(*answers: Answer, form: Form = "blocks", said: Callable[[str, RunParams], RunResult] | None = None) -> Crew:
    files = {PATH: OLD, "shop.py": "def area(w, h):\n    return w + h\n"}
    return Crew(files=files, answers=list(answers), form=form, runs=said or runs({"test_area": "failed"}))


async def wrote(crew: Crew, call: ScriptedCall | None = None, **more: object) -> WriteTestsResult:
    said: dict[str, object] = {
        "run": RUN,
        "purpose": "bug",
        "request": "area adds",
        "path": PATH,
        "instruction": "Show it.",
        "criteria": [{"id": "c1", "text": "area multiplies"}],
        **more,
    }
    return await TestWriter(room(crew)).write(WriteTestsParams.model_validate(said), call or ScriptedCall())


async def test_a_red_test_is_taken_with_its_outcome_and_criteria() -> None:
    """Ids are the runner's; what it answers is what its writer says, as far as there is such a criterion."""
    crew = shop(GOOD)
    written = await wrote(crew)
    assert written.patch is not None
    assert crew.after(written.patch.diff) == OLD + NEW
    assert written.patch.files == (PATH,)
    (test,) = written.tests
    assert (test.id, test.outcome, test.criteria) == (f"{PATH}::test_area", "failed", ("c1",))
    assert written.spent == ONE
    assert written.sandbox is not None


@pytest.mark.parametrize("purpose", ["bug", "feature", "existing"])
async def test_the_prompt_says_what_is_wanted(purpose: str) -> None:
    """Ticket, purpose, criteria and the file, as data."""
    said = runs({"test_area": "passed" if purpose == "existing" else "failed"})
    crew = shop(GOOD, said=said)
    await wrote(crew, purpose=purpose, reads=("shop.py",), feedback=("too few",))
    (turn,) = crew.asked[0].turns
    for part in ("area adds", "Show it.", "c1: area multiplies", OLD, "return w + h", "too few"):
        assert part in turn.text
    assert ("they pass on the code as it is" in turn.text) == (purpose == "existing")
    assert crew.asked[0].prompt.name == "tests"


async def test_a_new_file_is_written_as_a_whole() -> None:
    """Without a run before: there is nothing to run."""
    crew = shop(
        {"text": OLD + NEW, "summary": "s", **DECLARED}, said=runs({"test_area": "failed", "test_zero": "failed"})
    )
    del crew.files[PATH]
    written = await wrote(crew)
    assert written.patch is not None
    assert "new file mode" in written.patch.diff
    assert [each.id for each in written.tests] == [f"{PATH}::test_zero", f"{PATH}::test_area"]
    assert crew.calls.count("test_runner.run") == 1


@pytest.mark.parametrize(
    ("purpose", "first", "said"),
    [
        ("bug", {"test_area": "passed"}, "is passed on the code as it is; it has to fail there"),
        ("bug", {"test_area": "skipped"}, "is skipped"),
        ("bug", {"test_area": "xfailed"}, "is xfailed"),
        ("bug", {}, "pytest found no new test"),
        ("bug", {"test_area": TestCase(id="x", outcome="error", message="fixture 'x' not found")}, "before it begins"),
        (
            "bug",
            {"test_area": TestCase(id="x", outcome="failed", message="NameError: name 'x'")},
            "mistake of the test",
        ),
        ("bug", {"test_area": TestCase(id="x", outcome="failed", message="ImportError: no x")}, "mistake of the test"),
        ("bug", ran({}, "collection_error", "ImportError: no x"), "could not be run"),
        ("bug", ran({}, "stopped", "the time limit of 600 s was reached"), "could not be run: the time limit"),
        ("feature", {"test_area": "passed"}, "it has to fail there"),
        (
            "feature",
            ran({PATH: TestCase(id=PATH, outcome="error", message="NameError: x")}, "collection_error"),
            "cannot be",
        ),
        ("existing", {"test_area": "failed"}, "it has to pass there"),
        ("existing", {"test_area": "xpassed"}, "it has to pass there"),
    ],
)
async def test_what_does_not_hold_goes_back_with_its_result(purpose: str, first: Outcomes, said: str) -> None:
    """As a further turn; then the next tests are run."""
    good: TestOutcome = "passed" if purpose == "existing" else "failed"
    crew = shop(GOOD, GOOD, said=runs(first, {"test_area": good}))
    written = await wrote(crew, purpose=purpose)
    assert [each.outcome for each in written.tests] == [good]
    assert said in crew.asked[1].turns[-1].text
    assert written.spent.requests == 2


async def test_the_rounds_are_bounded() -> None:
    """Three times in all; then the note says what the last ones did."""
    crew = shop(GOOD, GOOD, GOOD, said=runs({"test_area": "passed"}))
    written = await wrote(crew)
    assert (written.patch, written.tests) == (None, ())
    assert "did not hold, after 3 rounds" in written.note
    assert "test_area is passed" in written.note
    assert written.spent.requests == 3


async def test_a_test_that_raises_what_the_fault_raises_is_red() -> None:
    """A name that is missing in the code under test is no mistake of the test."""
    frames = (Frame(path=PATH, line=9, function="test_area"), Frame(path="shop.py", line=2, function="area"))
    case = TestCase(id="x", outcome="failed", message="NameError: name 'widht'", frames=frames)
    assert (await wrote(shop(GOOD, said=runs({"test_area": case})))).patch is not None


async def test_a_feature_whose_import_is_missing_is_red() -> None:
    """No ids are reported then: they are read from the file, and helpers are none."""
    case = TestCase(id=PATH, outcome="error", message="ImportError: cannot import name 'volume' from 'shop'")
    tests = "class TestVolume:\n    def test_one(self):\n        assert area(1, 1) == 1\n\n    def helper(self): ..."
    whole: dict[str, object] = {"text": f"from shop import volume\n\n\n{tests}\n", "summary": "s", "tests": []}
    crew = shop(whole, said=runs(ran({PATH: case}, "collection_error", "ImportError")))
    del crew.files[PATH]
    written = await wrote(crew, purpose="feature")
    assert [(each.id, each.outcome) for each in written.tests] == [(f"{PATH}::TestVolume::test_one", "error")]
    assert "cannot import name 'volume'" in written.note


async def test_existing_behaviour_is_run_twice_and_what_is_flaky_goes_back() -> None:
    """A test that passes every other time pins down nothing."""
    crew = shop(GOOD, GOOD, said=runs({"test_area": "passed"}, {"test_area": "failed"}, {"test_area": "passed"}))
    written = await wrote(crew, purpose="existing")
    assert "it is flaky" in crew.asked[1].turns[-1].text
    assert [each.outcome for each in written.tests] == ["passed"]
    assert crew.calls.count("test_runner.run") == 5


@pytest.mark.parametrize(
    "empty", ["assert False", "assert 1 == 2", "pytest.fail('no')", "raise AssertionError", "fail()"]
)
async def test_a_test_that_fails_whatever_the_code_does_goes_back(empty: str) -> None:
    """It is red for no reason."""
    crew = shop(added(f"def test_area():\n    {empty}\n"), GOOD)
    assert (await wrote(crew)).patch is not None
    assert "depend on the code under test" in crew.asked[1].turns[-1].text


async def test_a_test_file_with_a_syntax_error_is_never_red() -> None:
    """It is sent back before it is run."""
    crew = shop(added("def test_area(:\n    pass"), GOOD)
    assert (await wrote(crew, purpose="feature")).patch is not None
    assert "not valid Python" in crew.asked[1].turns[-1].text


@pytest.mark.parametrize(
    "path",
    ["conftest.py", "tests/conftest.py", "shop.py", "tests/shop.py", "test_it.txt", "../test_x.py", ".git/test_x.py"],
)
async def test_only_test_files_are_written(path: str) -> None:
    """Fixtures of all, code, and what is outside of the tree are not."""
    crew = shop()
    with pytest.raises(ToolError) as raised:
        await wrote(crew, path=path)
    assert raised.value.failure.kind == "invalid"
    assert "model.complete" not in crew.calls


async def test_a_file_that_cannot_be_parsed_is_left_alone() -> None:
    """What is in it cannot be compared, so nothing is added."""
    crew = shop()
    crew.files[PATH] = "def test_zero(:\n"
    written = await wrote(crew)
    assert (written.patch, crew.asked) == (None, [])
    assert "not valid Python" in written.note


async def test_tests_that_could_not_be_collected_before_are_known_by_the_file() -> None:
    """An old test that is not changed is not counted as new."""

    def run(text: str, params: RunParams) -> RunResult:
        if not text:
            return ran({PATH: "error"}, "collection_error", "ImportError: no module shop")
        return ran({f"{PATH}::test_zero": "failed", f"{PATH}::test_area": "failed"})

    written = await wrote(shop(GOOD, said=run), purpose="feature")
    assert [each.id for each in written.tests] == [f"{PATH}::test_area"]


async def test_a_budget_that_ends_is_raised_with_what_was_spent() -> None:
    """As everywhere."""
    crew = shop(
        GOOD,
        failed("unavailable", Failure(kind="budget", message="nothing is left")),
        said=runs({"test_area": "passed"}),
    )
    with pytest.raises(ToolError, match="nothing is left") as raised:
        await wrote(crew)
    assert (raised.value.failure.kind, raised.value.failure.spent) == ("budget", ONE.plus(ONE))


async def test_a_failure_of_the_test_runner_carries_what_was_spent() -> None:
    """Whenever it comes."""

    def run(text: str, params: RunParams) -> RunResult:
        if text:
            raise ToolError("unavailable", "no sandbox")
        return ran({})

    with pytest.raises(ToolError, match="no sandbox") as raised:
        await wrote(shop(GOOD, said=run))
    assert raised.value.failure.spent == ONE


async def test_a_model_without_a_reply_is_an_honest_none() -> None:
    """With the reason, and what it cost."""
    written = await wrote(shop(failed("refused", Failure(kind="invalid", message="I cannot"))))
    assert (written.patch, written.spent) == (None, ONE)
    assert "I cannot" in written.note


async def test_progress_is_told() -> None:
    """Round by round."""
    call = ScriptedCall()
    await wrote(shop(GOOD), call)
    assert call.told == [f"looking at {PATH}", f"round 1: asking for tests in {PATH}", "round 1: running the tests"]


def test_the_tests_of_a_file_are_read_from_its_text() -> None:
    """Functions and methods by pytest's way of naming them; helpers are none."""
    text = OLD + "\nclass TestA:\n    class TestB:\n        async def test_c(self): ...\n    def helper(self): ...\n"
    assert list(functions_of(text)) == ["test_zero", "TestA::TestB::test_c"]
    assert functions_of("def (") == {}
