"""Two branches of a workflow at the same time, with an outcome that does not depend on who is quicker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

A = TypeVar("A")
B = TypeVar("B")


async def both(first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]]) -> tuple[A, B]:
    """The results of both; each runs to its end even if the other fails, and then `first`'s error goes first.

    So what a journal holds after a failure is the same in every execution.
    """
    ones: list[A] = []
    others: list[B] = []
    errors: dict[int, Exception] = {}

    async def finish(place: int, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            errors[place] = error

    async def one() -> None:
        ones.append(await first())

    async def other() -> None:
        others.append(await second())

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish, 0, one)
            tasks.start_soon(finish, 1, other)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    if errors:
        raise errors[min(errors)]
    return ones[0], others[0]
