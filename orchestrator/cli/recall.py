"""Runs in the ledger, found by what a person types."""

from __future__ import annotations

from bus.bus import Bus
from contracts.ledger import RUNS_STREAM
from orchestrator.cli.trouble import trouble


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
