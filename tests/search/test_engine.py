"""The engine's loop, against a scripted crew: what it asks, when it stops, what it says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from contracts.base import sha256
from contracts.code_writer import Feedback, ProposeParams, ProposeResult
from contracts.test_runner import CandidateOutcome, Evidence
from servers.search.engine import SearchEngine
from servers.search.trial import FIRST_BATCH
from servers.specialist import ToolError
from tests.search.scripted import QUIET, TEST, ScriptedCall, ScriptedCrew, spectrum

WRONG = "def area(width, height):\n    if width < 0:\n        raise ValueError(width)\n    return width + height\n"
RIGHT = WRONG.replace("+", "*")
LINES = {("shop.py", 2): "f123", ("shop.py", 4): "f1", ("tests/test_it.py", 3): "f"}
SIDES = """

def sides(width, height):
    longer, shorter = max(width, height), min(width, height)
    return longer - 1
"""
"""Behind WRONG, it makes more edits than the first batch holds."""
FILES = {"shop.py": WRONG, "tests/test_it.py": "def test_it():\n    assert area(7, 8) == 56\n"}


def asked(**more: object) -> ProposeParams:
    return ProposeParams.model_validate({"run": "r-abcd", "request": "area is wrong", "failing": (TEST,), **more})


def only(*texts: str) -> ScriptedCrew:
    """A crew for which exactly these texts pass."""
    return ScriptedCrew(FILES, spectrum(LINES), lambda text: "plausible" if text in texts else "failing")


def long(*texts: str) -> ScriptedCrew:
    """The same with a second function under suspicion."""
    crew = only(*(text + SIDES for text in texts))
    return replace(
        crew,
        files={**FILES, "shop.py": WRONG + SIDES},
        coverage=spectrum({**LINES, ("shop.py", 8): "f", ("shop.py", 9): "f"}),
    )


async def proposed(crew: ScriptedCrew, params: ProposeParams | None = None) -> ProposeResult:
    return await SearchEngine(crew).propose(params or asked(), ScriptedCall())


async def test_a_wrong_operator_is_found_and_called_plausible() -> None:
    """The right edit is proposed as a patch, with its evidence and its place; nobody says more."""
    result = await proposed(only(RIGHT))
    (proposal,) = result.proposals
    assert "-    return width + height\n+    return width * height\n" in proposal.patch.diff
    assert proposal.patch.files == ("shop.py",)
    assert proposal.summary.startswith("shop.py:4: ")
    assert proposal.evidence == QUIET
    assert result.tried.plausible == 1
    assert "plausible" in result.note
    assert "fixed" not in result.model_dump_json().lower()


async def test_candidates_reach_only_suspicious_files() -> None:
    """Test files are read for their literals at most; every candidate changes the suspect."""
    crew = only()
    result = await proposed(crew)
    assert {suspect.path for suspect in result.suspects} == {"shop.py"}
    assert crew.tried
    assert all("def area" in text for text in crew.tried)


async def test_no_candidate_is_tried_twice() -> None:
    """The whole search tries each text once."""
    crew = only()
    await proposed(crew)
    assert len(crew.tried) == len(set(crew.tried))


async def test_rivals_are_looked_for_after_the_first_find() -> None:
    """The search goes on for a while, so that a lone pass is not taken for a win; the quieter one leads."""
    first = WRONG.replace("+", "-")
    loud = Evidence(suite_passed=3, suite_failed=0, tests_through=2, calls_observed=10, calls_changed=9)
    crew = only(first, RIGHT)
    crew.evidence = lambda text: loud if text == first else QUIET
    result = await proposed(crew)
    assert ["*" in proposal.patch.diff for proposal in result.proposals] == [True, False]
    assert "1 other edit passes the same tests" in result.proposals[0].rank_reasons


async def test_when_nothing_passes_it_says_what_was_tried() -> None:
    """No proposal is an answer: figures, and plain words on what this engine cannot do."""
    result = await proposed(long())
    assert result.proposals == ()
    assert result.tried.ended == "exhausted"
    assert result.tried.candidates == result.tried.failing > FIRST_BATCH
    assert "None makes the tests pass" in result.note


async def test_nonsense_that_passes_is_counted_and_not_proposed() -> None:
    """An edit that returns before the check passes here; it is degenerate, with the reason in the note."""
    head, check, error, last = WRONG.splitlines(keepends=True)
    result = await proposed(only(head + last + check + error))
    assert result.proposals == ()
    assert result.tried.degenerate == 1
    assert "never reached" in result.note


async def test_a_rejected_patch_is_not_proposed_again() -> None:
    """Feedback names a patch by its digest; it is not even tried again."""
    (before,) = (await proposed(only(RIGHT))).proposals
    crew = only(RIGHT)
    said = Feedback(patch_sha256=before.patch.sha256, reason="no")
    result = await proposed(crew, asked(feedback=(said,)))
    assert result.proposals == ()
    assert RIGHT not in crew.tried
    assert before.patch.sha256 == sha256(before.patch.diff.encode())


async def test_a_function_a_person_wants_left_alone_comes_last() -> None:
    """A reason such as `not in area` puts that function behind, one that names it puts it in front."""
    text = (
        "def area(width, height):\n    return width + height\n\ndef sides(width, height):\n    return width + height\n"
    )
    lines = {("shop.py", 2): "f", ("shop.py", 5): "f"}

    async def first(request: str) -> str:
        crew = ScriptedCrew({**FILES, "shop.py": text}, spectrum(lines), lambda _: "failing")
        await SearchEngine(crew).propose(asked(request=request), ScriptedCall())
        return crew.tried[0]

    assert (await first("please look at area")).endswith("return width + height\n")
    assert (await first("the mistake is not in area")).startswith("def area(width, height):\n    return width + height")


async def test_the_budget_ends_the_search() -> None:
    """With the clock past the budget no further batch is asked for, and the result says so."""
    ticks = itertools.chain([0.0, 0.0], itertools.repeat(89.5))
    crew = long()
    result = await SearchEngine(crew, clock=lambda: next(ticks)).propose(asked(budget_s=90), ScriptedCall())
    assert result.tried.ended == "budget"
    assert crew.calls.count("test_runner.try_patches") <= 1


async def test_what_the_runner_did_not_try_is_not_counted() -> None:
    """A runner out of budget leaves candidates untried; the search ends and counts none of them."""
    crew = only()
    crew.verdict = lambda _: "untried"
    result = await proposed(crew)
    assert result.tried.candidates == 0
    assert result.tried.ended == "budget"


async def test_a_runner_out_of_time_ends_the_search_and_keeps_what_was_found() -> None:
    """A time-out of a later batch is the end of the budget, not of the proposals found before."""
    crew = long()

    def slow(_: str) -> CandidateOutcome:
        if len(crew.tried) > FIRST_BATCH:
            raise ToolError("timeout", "too slow")
        return "plausible" if len(crew.tried) == FIRST_BATCH else "failing"

    crew.verdict = slow
    result = await proposed(crew)
    assert result.tried.ended == "budget"
    assert len(result.proposals) == 1


async def test_a_defect_of_the_runner_is_not_taken_for_an_answer() -> None:
    """Any other failure of a call goes to the caller as it is."""
    crew = only()

    def broken(text: str) -> CandidateOutcome:
        raise ToolError("unavailable", "no sandbox")

    crew.verdict = broken
    with pytest.raises(ToolError, match="no sandbox"):
        await proposed(crew)


async def test_every_outcome_is_tallied() -> None:
    """Hung, crashed, regressed, invalid and failing candidates add up to what was tried."""
    outcomes: itertools.cycle[CandidateOutcome] = itertools.cycle(
        ("hung", "crashed", "regressed", "invalid", "failing")
    )
    crew = only()
    crew.verdict = lambda _: next(outcomes)
    tried = (await proposed(crew)).tried
    assert min(tried.hung, tried.crashed, tried.regressed, tried.invalid, tried.failing) > 0
    assert tried.hung + tried.crashed + tried.regressed + tried.invalid + tried.failing == tried.candidates


async def test_progress_tells_how_many_were_tried() -> None:
    """A person watching sees candidates tried and plausible."""
    call = ScriptedCall()
    await SearchEngine(long(RIGHT)).propose(asked(), call)
    assert any(text == f"{FIRST_BATCH} candidates tried, 1 plausible" for text in call.told)


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\0", "-" * 200_000 + "1"])
async def test_a_file_that_cannot_be_parsed_is_named_and_passed_over(text: str) -> None:
    """A hostile or broken suspect does not stop the search elsewhere."""
    lines = {**LINES, ("bad.py", 1): "f"}
    crew = ScriptedCrew({**FILES, "bad.py": text}, spectrum(lines), lambda t: "plausible" if t == RIGHT else "failing")
    result = await proposed(crew)
    assert len(result.proposals) == 1
    assert "bad.py was not looked into" in result.note


async def test_a_suspect_that_cannot_be_read_is_named() -> None:
    """What the repository refuses is in the note."""
    result = await proposed(ScriptedCrew({}, spectrum(LINES), lambda _: "failing"))
    assert result.proposals == ()
    assert "shop.py was not looked into (no file shop.py)" in result.note


async def test_without_a_line_to_look_at_it_says_so() -> None:
    """A failure that touches nothing but tests leads nowhere, in words."""
    crew = ScriptedCrew(FILES, spectrum({("tests/test_it.py", 3): "f"}), lambda _: "failing")
    result = await proposed(crew)
    assert "No line outside of the tests" in result.note
    assert "test_runner.try_patches" not in crew.calls


async def test_what_is_to_be_avoided_is_not_changed() -> None:
    """A path prefix in `avoid` is never edited."""
    crew = only(RIGHT)
    await proposed(crew, asked(avoid=("shop.py",)))
    assert crew.tried == []
