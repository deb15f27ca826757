"""Tasks beside a block of code, and what is raised where there are several."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import cast

import anyio


@asynccontextmanager
async def background(*work: Callable[[], Coroutine[object, object, None]]) -> AsyncGenerator[None]:
    """Run `work` beside the block and end it with the block.

    What the block raises comes out as it is, not wrapped in a group; what the work raises ends the block.
    """
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        for one in work:
            tasks.start_soon(one)
        try:
            yield
        except Exception as wrong:
            raised = wrong
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised


def cause(wrong: BaseException) -> BaseException:
    """What an exception group is about: its first member, however deep; any other exception is its own cause."""
    while isinstance(wrong, BaseExceptionGroup):
        wrong = cast("BaseExceptionGroup[BaseException]", wrong).exceptions[0]
    return wrong
