"""`podium watch`: a run as it happens, from wherever it is conducted."""

from __future__ import annotations

from contextlib import aclosing

import click

from contracts.state import RunState
from orchestrator.cli.recall import find_run
from orchestrator.cli.runs import draw_end
from orchestrator.cli.shared import document, json_option, ledger, out, run_argument, start
from orchestrator.run import Outcome
from orchestrator.runs import Shown, looks
from orchestrator.view import console, view_for


@click.command()
@run_argument
@json_option
@click.pass_context
def watch(context: click.Context, run: str, as_json: bool) -> None:
    """Follow a run live until it ends or waits at a gate.

    The exit code is the run's: 0 handed over, 1 could not, 3 a gate waits, 4 aborted or rejected,
    5 over budget.

    \b
    Examples:
      podium watch last
      podium watch r-7k --json
    """
    state = start(_watch, run)
    if as_json:
        document(state)
    else:
        out().print(draw_end(Shown(state=state)), crop=False)
    context.exit(Outcome(state).exit_code)


async def _watch(name: str) -> RunState:
    async with ledger() as bus:
        run = await find_run(bus, name)
        with view_for(console()) as view:
            async with aclosing(looks(bus, run)) as states:
                async for state in states:
                    view.show(state)
                    if state.ended or state.status == "waiting":
                        return state
    raise AssertionError("looking has no end")
