"""`podium doctor`: what works here, and what to do about the rest."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import click
from rich.text import Text

from bus.connect import connect
from bus.registry import cards
from orchestrator import house as houses
from orchestrator.cli.shared import AUDITOR, document, json_option, out, start
from orchestrator.cli.trouble import failure_of, root
from orchestrator.clock import apart_from_broker
from orchestrator.config import load_crew
from orchestrator.doctor import clock, crew, house_check, keys, machine
from orchestrator.doctor_check import Check
from orchestrator.house import house, state_dir
from orchestrator.keys import take_keys
from orchestrator.runs import list_runs
from orchestrator.text import safe

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check this machine, and say what to do about what is missing.

    Starts broker and crew once to see whether they come up and which sandbox they reach.
    Exit code 1 when something fails that Podium cannot do without.

    \b
    Examples:
      podium doctor
      podium doctor --json
    """
    found = start(_look, as_json)
    if as_json:
        document(found)
    context.exit(1 if any(check.level == "fail" for check in found) else 0)


async def _look(quiet: bool) -> list[Check]:
    found: list[Check] = []
    async with aclosing(_checks()) as checks:
        async for check in checks:
            found.append(check)
            if not quiet:
                _tell(check)
    return found


def _tell(check: Check) -> None:
    mark, style = MARKS[check.level]
    text = Text.assemble((f"{mark} ", style), (f"{check.name}  ", "bold"), safe(check.found))
    if check.way_out:
        text.append(f"\n    → {check.way_out}", "yellow")
    out().print(text, soft_wrap=True)


async def _checks() -> AsyncGenerator[Check]:
    state = state_dir()
    taken = take_keys()
    for check in machine(state, taken):
        yield check
    yield house_check(await houses.status(state), taken)
    began = time.monotonic()
    try:
        for check in keys(state, load_crew().key_max_age_days):  # before a house starts, which sees to it
            yield check
        async with house(state) as found, connect(state, found.url, AUDITOR) as bus:
            for check in crew(await cards(bus), time.monotonic() - began):
                yield check
            yield clock(await apart_from_broker(bus))
            yield _unfinished([state.run for state in (await list_runs(bus)).runs if not state.ended])
    except Exception as error:
        failure = failure_of(root(error))
        if failure is None:
            raise
        yield Check(name="crew", level="fail", found=failure.message, way_out=failure.way_out)


def _unfinished(runs: list[str]) -> Check:
    if not runs:
        return Check(name="runs", level="ok", found="none is unfinished")
    shown = ", ".join(runs[:5]) + (", …" if len(runs) > 5 else "")
    return Check(
        name="runs",
        level="warn",
        found=f"{len(runs)} unfinished: {shown}",
        way_out="`podium resume RUN` goes on with one, `podium abort RUN` ends it and cleans up.",
    )
