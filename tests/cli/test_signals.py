"""What Ctrl-C does to a command, whenever it comes."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator

import anyio
import pytest

from orchestrator.cli.shared import start


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_lets_the_command_end_in_good_order() -> None:
    """What has to be put away is put away before the interruption is told."""
    done: list[str] = []

    async def command() -> None:
        try:
            ctrl_c()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                done.append("put away")

    with pytest.raises(KeyboardInterrupt):
        start(command)
    assert done == ["put away"]


def test_the_second_ends_it_at_once() -> None:
    """Whoever is tired of waiting does not wait."""

    async def command() -> None:
        try:
            ctrl_c()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                ctrl_c()
                await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        start(command)


def test_one_that_comes_when_all_is_done_is_too_late() -> None:
    """The result counts; nothing breaks while the event loop is being closed."""
    kept: list[AsyncGenerator[None]] = []

    async def closed_late() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            ctrl_c()

    async def command() -> str:
        kept.append(closed_late())
        await anext(kept[0])
        return "done"

    assert start(command) == "done"


def test_afterwards_signals_do_what_they_did_before() -> None:
    """A command leaves no handler behind."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    start(anyio.sleep, 0)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
