"""Tasks beside a block of code."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager

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
