"""The model engine and the engine that searches first, against a scripted crew."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Unpack

import pytest

from contracts.code_writer import Feedback, ProposeParams, ProposeResult
from contracts.failure import Failure, FailureKind
from contracts.test_runner import Evidence
from servers.code_writer import CodeWriter
from servers.specialist import ToolError
from servers.writing.engine import ModelEngine
from servers.writing.forms import Change
from servers.writing.score import reasons
from tests.search.scripted import QUIET, TEST, ScriptedCall, spectrum
from tests.writing.scripted import ONE, RUN, Answer, Crew, Script, blocks, failed, ran, room

WRONG = "def area(width, height):\n    return width + height\n"
RIGHT = WRONG.replace("+", "*")
FILES = {
    "shop.py": WRONG,
    "util.py": "def twice(x):\n    return 2 * x\n",
    "tests/test_it.py": "import shop\n\ndef test_it():\n    assert shop.area(7, 8) == 56\n\ndef test_1():\n    pass\n",
}
LINES = {("shop.py", 2): "f1", ("util.py", 2): "f123", ("tests/test_it.py", 4): "f"}
GOOD = blocks("    return width + height", "    return width * height")
OTHER = blocks("    return width + height", "    product = width * height\n    return product")
LESS = blocks("    return width + height", "    return width - height")
POWER = blocks("    return width + height", "    return width ** height")
NONSENSE = blocks("    return area", "    return 1")


def crew(*answers: Answer, **more: Unpack[Script]) -> Crew:
    """A crew for which what multiplies is right."""
    made = Crew(
        files=dict(FILES),
        answers=list(answers),
        coverage=spectrum(LINES, message="AssertionError: assert 15 == 56", detail="E  assert 15 == 56"),
        verdict=lambda text: "plausible" if "width * height" in text else "failing",
    )
    return replace(made, **more)


async def proposed(of: Crew, call: ScriptedCall | None = None, **more: object) -> ProposeResult:
    said: dict[str, object] = {"run": RUN, "request": "area is wrong", "failing": (TEST,), "engine": "model", **more}
    return await CodeWriter(room(of)).propose(ProposeParams.model_validate(said), call or ScriptedCall())


async def test_a_repair_of_the_model_is_proposed_with_its_evidence() -> None:
    """It is a plausible patch, tried by the test runner, and what it cost is said."""
    asked = crew(GOOD)
    found = await proposed(asked)
    (proposal,) = found.proposals
    assert asked.after(proposal.patch.diff) == RIGHT
    assert proposal.evidence == QUIET
    assert proposal.summary == "shop.py: It is changed"
    assert proposal.rank_reasons[0] == "2 lines changed"
    assert (found.engine, found.spent, found.tried.plausible, found.tried.ended) == ("model", ONE, 1, "enough")
    assert "plausible" in found.note
    assert "fixed" not in found.model_dump_json().lower()


async def test_the_prompt_shows_the_fault() -> None:
    """Ticket, the failing test's source and report, the suspicious file and lines, code of other files."""
    asked = crew(GOOD)
    await proposed(asked)
    (turn,) = asked.asked[0].turns
    for part in ("area is wrong", "assert shop.area(7, 8) == 56", "E  assert 15 == 56", "`shop.py`", WRONG, "twice"):
        assert part in turn.text
    assert "def test_1" not in turn.text
    assert "coverage: 2" in turn.text
    assert asked.asked[0].prompt.name == "repair"


async def test_versions_are_tried_in_one_batch_and_the_smallest_is_first() -> None:
    """Equal ones once."""
    asked = crew(OTHER, GOOD, OTHER, LESS)
    found = await proposed(asked, candidates=4)
    assert len(asked.tried) == 1
    assert len(asked.tried[0].candidates) == 3
    assert [asked.after(each.patch.diff) == RIGHT for each in found.proposals] == [True, False]
    assert (found.tried.candidates, found.tried.plausible, found.tried.failing) == (3, 2, 1)
    assert found.spent.requests == 4


async def test_what_fails_is_told_how_and_may_try_again() -> None:
    """In the same conversation, with the report of a run with its change."""
    asked = crew(LESS, GOOD, runs=lambda text, _: ran({TEST: "failed"}, reason="-1 is not 56" if " - " in text else ""))
    found = await proposed(asked)
    assert len(found.proposals) == 1
    assert [turn.role for turn in asked.asked[1].turns] == ["user", "assistant", "user"]
    assert "-1 is not 56" in asked.asked[1].turns[-1].text
    assert (found.tried.candidates, found.tried.failing) == (2, 1)


async def test_the_rounds_are_bounded() -> None:
    """Three versions in all, then there is none, and the note says so."""
    asked = crew(LESS, POWER, blocks("    return width + height", "    return 56"))
    found = await proposed(asked)
    assert found.proposals == ()
    assert (found.tried.failing, found.tried.ended) == (3, "exhausted")
    assert "none makes the tests pass" in found.note
    assert asked.answers == []


async def test_the_same_change_again_goes_back_and_ends() -> None:
    """Nothing is tried twice, and a model that repeats itself is not asked for ever."""
    asked = crew(LESS, LESS, LESS, LESS)
    found = await proposed(asked)
    assert found.tried.candidates == 1
    assert "was tried, or turned down, before" in asked.asked[2].turns[-1].text
    assert "could not be used" in found.note


async def test_what_a_person_turned_down_is_not_proposed_again() -> None:
    """They know it by its digest, and the model hears the reason."""
    (before,) = (await proposed(crew(GOOD))).proposals
    said = Feedback(patch_sha256=before.patch.sha256, reason="use a helper")
    asked = crew(GOOD, OTHER)
    found = await proposed(asked, feedback=(said,))
    assert [each.patch.sha256 == said.patch_sha256 for each in found.proposals] == [False]
    assert "use a helper" in asked.asked[0].turns[0].text


async def test_named_files_are_changed_instead_of_the_suspicious_one() -> None:
    """Several in turn, the suspicious ones first."""
    twice = blocks("    return 2 * x", "    return x")
    asked = crew(twice, verdict=lambda _: "plausible")
    await proposed(asked, paths=("util.py",), candidates=1)
    assert "The file to repair: `util.py`" in asked.asked[0].turns[0].text
    asked = crew(GOOD, twice, verdict=lambda _: "plausible")
    await proposed(asked, paths=("util.py", "shop.py"), candidates=2)
    assert ["repair: `shop.py`" in each.turns[0].text for each in asked.asked] == [True, False]


@pytest.mark.parametrize("paths", [("tests/test_it.py",), ("conftest.py",), ("shop.py",), ()])
async def test_tests_and_what_is_to_be_avoided_are_never_changed(paths: tuple[str, ...]) -> None:
    """The model is not even asked."""
    asked = crew()
    found = await proposed(asked, paths=paths, avoid=("shop.py", "util.py"))
    assert (found.proposals, asked.asked) == ((), [])
    assert "was not asked" in found.note


async def test_a_path_outside_of_the_tree_is_refused() -> None:
    """Wherever it comes from."""
    with pytest.raises(ToolError, match="no path inside the repository"):
        await proposed(crew(), paths=("../shop.py",))


async def test_failing_tests_that_pass_are_said() -> None:
    """There is nothing to repair, and nothing is spent."""
    asked = crew()
    assert asked.coverage is not None
    asked.coverage = asked.coverage.model_copy(update={"failures": ()})
    assert "did not fail when they were traced" in (await proposed(asked)).note


async def test_time_that_is_up_ends_the_rounds_but_what_was_written_is_tried() -> None:
    """It has been paid for."""
    ticks = itertools.chain([0.0], itertools.repeat(1000.0))
    asked = crew(LESS)
    params = ProposeParams(run=RUN, request="x", failing=(TEST,), engine="model")
    found = await ModelEngine(asked, clock=lambda: next(ticks)).propose(params, ScriptedCall())
    assert (found.tried.candidates, found.tried.ended) == (1, "budget")
    assert asked.tried[0].budget_s == 60


async def test_a_test_runner_out_of_time_ends_the_rounds() -> None:
    """The cost is in the result."""
    found = await proposed(crew(GOOD, broken={"test_runner.try_patches": ToolError("timeout", "too slow")}))
    assert (found.proposals, found.tried.ended, found.spent) == ((), "budget", ONE)
    assert "too slow" in found.note


async def test_a_failure_of_the_test_runner_carries_what_was_spent() -> None:
    """Its kind and its words stay as they are."""
    with pytest.raises(ToolError, match="no sandbox") as raised:
        await proposed(crew(GOOD, broken={"test_runner.try_patches": ToolError("unavailable", "no sandbox")}))
    assert raised.value.failure.spent == ONE


@pytest.mark.parametrize("kind", ["budget", "internal"])
async def test_a_budget_that_ends_and_a_defect_are_raised(kind: FailureKind) -> None:
    """With what was spent, and nothing is tried any more: neither is a version that did not fit."""
    end = failed("unavailable", Failure(kind=kind, message="nothing is left"))
    asked = crew(GOOD, end)
    with pytest.raises(ToolError, match="nothing is left") as raised:
        await proposed(asked, candidates=2)
    assert (raised.value.failure.kind, raised.value.failure.spent) == (kind, ONE.plus(ONE))
    assert asked.tried == []


async def test_a_model_that_refuses_is_named_in_the_note() -> None:
    """Beside what the others came to."""
    found = await proposed(crew(failed("refused", Failure(kind="invalid", message="no")), GOOD), candidates=2)
    assert len(found.proposals) == 1
    assert "Version 1: the model's reply was refused: no." in found.note


async def test_progress_tells_rounds_and_results() -> None:
    """For people who wait."""
    call = ScriptedCall()
    await proposed(crew(GOOD), call)
    assert call.told == ["tracing the failing tests", "round 1: asking for 1 version", "1 version tried, 1 plausible"]


def test_what_was_not_observed_is_not_said_to_be_unchanged() -> None:
    """Zero changed calls of none that were observed say nothing."""
    blind = Evidence(suite_passed=1, suite_failed=0, observed=False, tests_through=0, calls_observed=0, calls_changed=0)
    change = Change("shop.py", WRONG, RIGHT, "s")
    assert "effects are unknown" in reasons(change, blind, 0)[1]
    assert "0 of 10 observed calls" in reasons(change, QUIET, 2)[1]


async def test_auto_asks_no_model_where_the_search_finds_something() -> None:
    """Searching costs nothing."""
    asked = crew(verdict=lambda text: "plausible" if text == RIGHT else "failing")
    found = await proposed(asked, engine="auto")
    assert (found.engine, len(found.proposals), asked.asked) == ("search", 1, [])
    assert "model.describe" not in asked.calls


async def test_auto_asks_the_model_where_the_search_finds_nothing() -> None:
    """The note has both, and the tally counts both."""
    asked = crew(OTHER, verdict=lambda text: "plausible" if "product" in text else "failing")
    found = await proposed(asked, engine="auto")
    assert (found.engine, len(found.proposals), found.spent) == ("model", 1, ONE)
    assert found.note.startswith("The search found nothing.")
    assert found.tried.candidates > 1


@pytest.mark.parametrize("missing", [False, True])
async def test_auto_says_why_the_model_was_not_asked(missing: bool) -> None:
    """No key, or no model server: what the search says stands."""
    broken = {"model.describe": ToolError("denied", "not granted")} if missing else {}
    asked = crew(verdict=lambda _: "failing", ready=False, broken=broken)
    found = await proposed(asked, engine="auto")
    assert (found.engine, found.proposals) == ("search", ())
    assert "The model was not asked: " + ("not granted" if missing else "no key. Set ANTHROPIC_API_KEY.") in found.note


async def test_search_asks_no_model() -> None:
    """Nor whether there is one."""
    asked = crew(verdict=lambda _: "failing")
    await proposed(asked, engine="search")
    assert not [each for each in asked.calls if each.startswith("model.")]


async def test_model_alone_says_that_it_cannot_be_asked() -> None:
    """As a failure with the way out, before anything is traced."""
    asked = crew(ready=False)
    with pytest.raises(ToolError, match="no key"):
        await proposed(asked)
    assert asked.calls == ["model.describe"]


async def test_a_reply_that_does_not_fit_is_corrected_before_it_is_tried() -> None:
    """A mismatch goes back first."""
    asked = crew(NONSENSE, GOOD)
    assert len((await proposed(asked)).proposals) == 1
    assert len(asked.tried) == 1
