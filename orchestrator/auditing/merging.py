"""Several ordered histories as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from heapq import heapify, heappop, heapreplace
from typing import Any, TypeVar

T = TypeVar("T")


async def merged(histories: Sequence[AsyncGenerator[T]], key: Callable[[T], Any]) -> AsyncGenerator[T]:
    """What `histories` give, each in the order of `key`, in that order; of equals, the first history's comes first."""
    async with AsyncExitStack() as opened:
        for each in histories:
            await opened.enter_async_context(aclosing(each))
        heads: list[tuple[Any, int, T]] = []
        for n, history in enumerate(histories):
            async for first in history:
                heads.append((key(first), n, first))
                break
        heapify(heads)
        while heads:
            _, n, found = heads[0]
            yield found
            try:
                following = await anext(histories[n])
            except StopAsyncIteration:
                heappop(heads)
            else:
                heapreplace(heads, (key(following), n, following))
