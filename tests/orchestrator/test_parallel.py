"""Two branches at once."""

from __future__ import annotations

import anyio
import pytest

from orchestrator.parallel import both


async def test_both_run_at_the_same_time() -> None:
    """Each can wait for the other."""
    here, there = anyio.Event(), anyio.Event()

    async def first() -> str:
        here.set()
        await there.wait()
        return "a"

    async def second() -> int:
        there.set()
        await here.wait()
        return 1

    assert await both(first, second) == ("a", 1)


async def test_a_failure_lets_the_other_finish_and_the_first_error_goes_first() -> None:
    """Whoever is quicker, the same error comes out, after both have ended."""
    ended = anyio.Event()

    async def slow() -> None:
        await ended.wait()
        raise ValueError("first")

    async def quick() -> None:
        ended.set()
        raise KeyError("second")

    with pytest.raises(ValueError, match="first"):
        await both(slow, quick)
