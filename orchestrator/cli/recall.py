"""Runs in the ledger: found by what a person types, and followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio

from bus.bus import Bus, Message
from contracts.ledger import RUNS_STREAM
from contracts.state import RunState
from orchestrator.cli.trouble import trouble
from orchestrator.runs import state_of

LOOK_AGAIN_S = 2.0
"""How often the ledger is read anew while following; an event that is heard of is read at once."""


async def find_run(bus: Bus, name: str) -> str:
    """The run that `name` means: its name, an unambiguous beginning of it (`r-` may be left out), or `last`.

    Raises:
        Trouble: there is none, or there are several.
    """
    runs = [kept.subject.split(".")[1] async for kept in bus.history(RUNS_STREAM, "run.*.started")]
    if name == "last" and runs:
        return runs[-1]
    if name in runs:
        return name
    found = [run for run in runs if run.startswith(name) or run.removeprefix("r-").startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise trouble(f"`{name}` could be {shown}.", "Give more letters.")
    if not runs:
        raise trouble("There are no runs yet.", "`podium demo` makes one; `podium run fix-bug --help` says how to.")
    raise trouble(f"There is no run `{name}`.", "`podium runs` lists them; `last` is the newest.")


async def follow(bus: Bus, run: str) -> AsyncGenerator[RunState]:
    """The run as it stands, and again whenever something happened, until it has ended."""
    hint = anyio.Event()

    async def on_hint(_: Message) -> None:
        hint.set()

    async with bus.listen(f"run.{run}.>", on_hint):
        seen = 0
        while True:
            state = await state_of(bus, run)
            if state.events != seen:
                seen = state.events
                yield state
            if state.ended:
                return
            with anyio.move_on_after(LOOK_AGAIN_S):
                await hint.wait()
            hint = anyio.Event()
