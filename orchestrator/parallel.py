"""Branches of a workflow at the same time, with an outcome that does not depend on who is quicker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

A = TypeVar("A")
B = TypeVar("B")


async def both(first: Callable[[], Awaitable[A]], second: Callable[[], Awaitable[B]]) -> tuple[A, B]:
    """The results of both; see `all_of`."""
    ones: list[A] = []
    others: list[B] = []

    async def one() -> None:
        ones.append(await first())

    async def other() -> None:
        others.append(await second())

    await all_of((one, other))
    return ones[0], others[0]


async def all_of(work: Sequence[Callable[[], Awaitable[A]]]) -> list[A]:
    """The results, in the order of `work`; each runs to its end even if others fail, and then the first's error counts.

    So what a journal holds after a failure is the same in every execution.
    """
    results: dict[int, A] = {}
    errors: dict[int, Exception] = {}

    async def finish(place: int, each: Callable[[], Awaitable[A]]) -> None:
        try:
            results[place] = await each()
        except Exception as error:
            errors[place] = error

    try:
        async with anyio.create_task_group() as tasks:
            for place, each in enumerate(work):
                tasks.start_soon(finish, place, each)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    if errors:
        raise errors[min(errors)]
    return [results[place] for place in range(len(work))]
