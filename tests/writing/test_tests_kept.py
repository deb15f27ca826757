"""New tests are never had at the cost of old ones: neither by the text, nor by what happens when they run."""

from __future__ import annotations

import pytest

from tests.writing.scripted import blocks, ran
from tests.writing.test_tests import END, GOOD, NEW, PATH, runs, shop, wrote


async def test_old_tests_that_no_longer_pass_or_run_go_back() -> None:
    """New tests at the cost of old ones are none."""
    broken = ran({f"{PATH}::test_zero": "failed", f"{PATH}::test_area": "failed"})
    gone = ran({f"{PATH}::test_area": "failed"})
    crew = shop(GOOD, GOOD, GOOD, said=runs(broken, gone, {"test_area": "failed"}))
    written = await wrote(crew)
    assert "test_zero passed before the change of the test file and is failed" in crew.asked[1].turns[-1].text
    assert "test_zero was there before and is not run any more" in crew.asked[2].turns[-1].text
    assert written.patch is not None


async def test_an_old_test_that_says_more_counts_as_changed() -> None:
    """Its id is an old one."""
    crew = shop(blocks(END, f"{END}\n    assert area(7, 8) == 56", tests=[]), said=runs({"test_zero": "failed"}))
    written = await wrote(crew)
    assert [each.id for each in written.tests] == [f"{PATH}::test_zero"]


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
