"""New tests are never had at the cost of old ones: neither by the text, nor by what happens when they run."""

from __future__ import annotations

import pytest

from contracts.test_runner import TestCase
from tests.writing.scripted import blocks, ran
from tests.writing.test_tests import END, GOOD, NEW, OLD, PATH, runs, shop, wrote


async def test_old_tests_that_no_longer_pass_or_run_go_back() -> None:
    """New tests at the cost of old ones are none."""
    broken = ran({f"{PATH}::test_zero": "failed", f"{PATH}::test_area": "failed"})
    gone = ran({f"{PATH}::test_area": "failed"})
    crew = shop(GOOD, GOOD, GOOD, said=runs(broken, gone, {"test_area": "failed"}))
    written = await wrote(crew)
    assert "test_zero was passed before the change of the test file and is failed" in crew.asked[1].turns[-1].text
    assert "test_zero was there before and is not run any more" in crew.asked[2].turns[-1].text
    assert written.patch is not None


async def test_an_old_test_that_passes_all_of_a_sudden_goes_back() -> None:
    """The code is the same, so a change of the test file made it pass."""
    crew = shop(GOOD, GOOD, GOOD)
    first = crew.runs
    crew.runs = lambda text, params: first(text, params) if text else ran({f"{PATH}::test_zero": "failed"})
    assert (await wrote(crew)).patch is None
    assert "test_zero was failed before the change of the test file and is passed" in crew.asked[1].turns[-1].text


async def test_new_tests_run_after_the_old_ones() -> None:
    """Whatever they leave behind, no old test sees it; pytest may have put them first for a fixture's sake."""
    early = ran({f"{PATH}::test_area": "failed", f"{PATH}::test_zero": "passed"})
    crew = shop(GOOD, GOOD, said=runs(early, {"test_area": "failed"}))
    assert (await wrote(crew)).patch is not None
    assert "test_area runs before old tests" in crew.asked[1].turns[-1].text


async def test_old_tests_that_cannot_be_collected_any_more_go_back() -> None:
    """Nobody could tell what became of them."""
    case = TestCase(id=PATH, outcome="error", message="ImportError: cannot import name 'volume' from 'shop'")
    crew = shop(GOOD, GOOD, said=runs(ran({PATH: case}, "collection_error", "ImportError"), {"test_area": "failed"}))
    assert (await wrote(crew, purpose="feature")).patch is not None
    assert "old tests of the file cannot be run any more" in crew.asked[1].turns[-1].text


async def test_more_cases_of_an_old_test_are_new_tests() -> None:
    """The cases that were there are not."""
    old = OLD.replace("def test_zero():\n", '@pytest.mark.parametrize("n", [0])\ndef test_zero(n):\n')
    crew = shop()
    crew.files[PATH] = f"import pytest\n{old}"
    crew.answers = [blocks('@pytest.mark.parametrize("n", [0])', '@pytest.mark.parametrize("n", [0, 7])', tests=[])]
    was, more = f"{PATH}::test_zero[0]", f"{PATH}::test_zero[7]"
    crew.runs = lambda text, _: ran({was: "passed", more: "failed"} if text else {was: "passed"})
    assert [each.id for each in (await wrote(crew)).tests] == [more]


@pytest.mark.parametrize(
    "weaker",
    [
        blocks(END, "    assert True", tests=[]),
        blocks(END, END + " or True" + NEW, tests=[]),
        blocks("def test_zero():\n" + END, "def test_area():\n    assert area(7, 8) == 56", tests=[]),
        blocks("def test_zero():", "@pytest.mark.skip\ndef test_zero():", tests=[]),
    ],
)
async def test_what_weakens_goes_back_and_never_through(weaker: dict[str, object]) -> None:
    """It is not even run; after three times there is no patch."""
    crew = shop(weaker, weaker, weaker)
    written = await wrote(crew)
    assert written.patch is None
    assert "Existing tests have to stay as they are" in crew.asked[1].turns[-1].text
    assert "Existing tests have to stay as they are" in written.note
    assert crew.calls.count("test_runner.run") == 1
