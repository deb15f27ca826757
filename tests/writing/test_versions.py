"""Several versions of one file side by side, and which one is taken."""

from __future__ import annotations

from servers.specialist import ToolError
from tests.writing.scripted import ONE, blocks, ran
from tests.writing.test_write import GOOD, SHOP, shop, text_of, wrote

OTHER = blocks("    return width + height", "    product = width * height\n    return product")
LESS = blocks("    return width + height", "    return width - height")
TEST = "tests/test_shop.py::test_area"


async def test_versions_are_asked_for_side_by_side_and_differ_in_their_prompts() -> None:
    """In the order of their numbers, so that a call that is made again finds its answers."""
    crew = shop(GOOD, OTHER, GOOD)
    written = await wrote(crew, candidates=3)
    texts = [asked.turns[0].text for asked in crew.asked]
    assert len(set(texts)) == 3
    assert [f"version {number} of 3" in text for number, text in enumerate(texts, 1)] == [True] * 3
    assert written.spent.requests == 3
    assert text_of(crew, written) == SHOP.replace("+", "*")


async def test_the_version_whose_tests_pass_is_taken() -> None:
    """Though another is smaller; all go to the test runner in one batch."""
    crew = shop(LESS, OTHER, verdict=lambda text: "plausible" if "product" in text else "failing")
    written = await wrote(crew, candidates=2, tests=(TEST,))
    assert "product" in text_of(crew, written)
    assert len(crew.tried) == 1
    assert "Version 2 of 2 was taken: it passes the tests and makes no other test worse" in written.note


async def test_of_those_that_pass_the_smallest_is_taken() -> None:
    """Whatever the order they came in."""
    crew = shop(OTHER, GOOD, verdict=lambda _: "plausible")
    assert text_of(crew, await wrote(crew, candidates=2, tests=(TEST,))) == SHOP.replace("+", "*")


async def test_tests_that_do_not_fail_now_are_run_with_each_version() -> None:
    """`try_patches` wants failing tests; the one that passes most is taken."""
    crew = shop(
        GOOD,
        OTHER,
        broken={"test_runner.try_patches": ToolError("invalid", "pass without any candidate")},
        runs=lambda text, _: ran({TEST: "passed" if "product" in text else "failed"}),
    )
    written = await wrote(crew, candidates=2, tests=(TEST,))
    assert "product" in text_of(crew, written)
    assert "it passes 1 of 1 tests" in written.note


async def test_a_failure_after_spending_says_what_was_spent() -> None:
    """Whichever tool fails."""
    crew = shop(GOOD, broken={"test_runner.run": ToolError("unavailable", "no sandbox")})
    written = await wrote(crew, tests=(TEST,))
    assert "could not be tried (no sandbox)" in written.note
    assert written.spent == ONE
