"""What `run`, `up` and `resume` do about runs that were begun here and that nobody is at work on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from bus.bus import Bus
from contracts.base import utc_now
from orchestrator.cli.main import INTERRUPTED
from orchestrator.cli.shared import ledger, somebody_is_here, start
from orchestrator.cli.trouble import Trouble, failure_of, root, trouble
from orchestrator.house import state_dir
from orchestrator.ports import Paths
from orchestrator.text import count, duration, line
from orchestrator.unfinished import Left, abandoned, left_over
from orchestrator.view import console

resume_option = click.option(
    "--resume", "resume_left", is_flag=True, help="Go on with interrupted runs first, without asking."
)


def left_here() -> tuple[Left, ...]:
    """What was left unfinished here; where nothing was, the ledger is not even opened."""
    return start(_left_here) if abandoned(_folder()) else ()


async def the_one_left(bus: Bus) -> str:
    """The run that is meant where none is named: the only one that can go on, else the only one that waits.

    Raises:
        Trouble: there is none, or there are several.
    """
    left = await left_over(bus, _folder())
    meant = [each for each in left if each.can_go_on] or left
    if len(meant) == 1:
        return meant[0].run
    if meant:
        listed = "; ".join(_told(each) for each in left)
        raise trouble(f"{count(len(left), 'run')} could go on: {listed}.", "Say which: podium resume RUN", code=2)
    raise trouble("There is no unfinished run that nobody is at work on.", "`podium runs` lists all runs.")


def go_on_first(left: Sequence[Left], *, unasked: bool, quiet: bool, unsandboxed: bool = False, default: bool) -> None:
    """Go on with what can, if that is wanted: `unasked`, or by a person who is here, for whom Enter means `default`.

    What is not gone on with, or does not get to its end, is said, and stays resumable.

    Raises:
        Trouble: it was interrupted.
    """
    ready = [each for each in left if each.can_go_on]
    if waiting := [each for each in left if not each.can_go_on]:
        names = ", ".join(each.run for each in waiting)
        waits = "waits at a gate" if len(waiting) == 1 else "wait at a gate"
        click.echo(f"{names} {waits}: podium show RUN, podium resume RUN", err=True)
    for each in ready:
        click.echo(_told(each), err=True)
    if not ready:
        return
    them = "it" if len(ready) == 1 else "them"
    if not unasked and not quiet and somebody_is_here():
        unasked = click.confirm(f"Go on with {them} now? (podium abort RUN ends one)", default=default, err=True)
    if not unasked:
        click.echo(f"  → podium resume {ready[0].run if len(ready) == 1 else 'RUN'}", err=True)
        return
    for each in ready:
        _go_on(each.run, quiet, unsandboxed)


def _go_on(run: str, quiet: bool, unsandboxed: bool) -> None:
    from orchestrator.cli.conduct import conduct, resume_run
    from orchestrator.cli.tell import draw_outcome, report_of

    try:
        outcome = conduct(partial(resume_run, run, "", unsandboxed, quiet))
    except Exception as error:
        known = failure_of(root(error))
        if known is None or (isinstance(error, Trouble) and error.code == INTERRUPTED):
            raise
        click.secho(f"{run}: {known.message}", err=True, fg="red")
        click.echo(f"  → {known.way_out or f'podium abort {run} gives it up'}", err=True)
    else:
        draw_outcome(report_of(outcome), console())


def _told(left: Left) -> str:
    ago = duration((utc_now() - left.since).total_seconds())
    how = {
        "interrupted": f"was interrupted {ago} ago",
        "answered": f"has its answer at gate {left.gate}",
        "waiting": f"waits at gate {left.gate}",
    }
    return f"{left.run} {how[left.stands]} ({left.workflow}: {line(left.request, 60)})"


async def _left_here() -> tuple[Left, ...]:
    async with ledger() as bus:
        return await left_over(bus, _folder())


def _folder() -> Path:
    return Paths.below(state_dir()).unfinished
