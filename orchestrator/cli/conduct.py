"""Where a command's wishes and the orchestrator's parts are put together."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from bus.bus import Bus
from bus.caller import open_caller
from bus.connect import connect
from bus.registry import cards
from contracts.config import ProjectConfig
from contracts.failure import Failure
from contracts.ledger import RUNS_STREAM
from contracts.manifest import Card
from contracts.run import Event, RunStartedEvent
from orchestrator import config, planner, tracing
from orchestrator.checkout import GitCheckout
from orchestrator.cli.going_on import the_one_left
from orchestrator.cli.main import INTERRUPTED
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import AUDITOR, somebody_is_here, start_gently, who
from orchestrator.cli.trouble import Trouble, failure_of, root, trouble
from orchestrator.cli.wishes import Wishes, settled
from orchestrator.desk import TerminalDesk, edit_in_editor, read_terminal_line
from orchestrator.errors import TakenOver
from orchestrator.house import house, state_dir
from orchestrator.ports import Paths
from orchestrator.run import Conductor, Outcome
from orchestrator.runs import events_of
from orchestrator.state import fold
from orchestrator.tracing import Exporting
from orchestrator.view import View, console, view_for

ORCHESTRATOR = "orchestrator"
RUNS_CODE = ("test_runner", "static_analyzer")
"""Servers whose sandbox holds the project's code."""


STOP_S = 10.0
"""How long a run that is told to end by SIGTERM may take to the next thing it stores."""


class Watching:
    """Draws a run's events as they are stored, and ends its command after one of them."""

    def __init__(self, view: View, to: Console) -> None:
        self.view = view
        self._to = to
        self._events: list[Event] = []
        self._end: Callable[[], object] | None = None

    @property
    def run(self) -> str:
        """The run, once it has begun."""
        return self._events[0].run if self._events else ""

    def stop(self, signum: int, end: Callable[[], object]) -> bool:
        """See `shared.Gently`: what is under way is finished first, unless a person is being waited for."""
        if not self._events or fold(self._events).status == "waiting":
            return False
        self._end = end
        if signum == signal.SIGTERM:
            asyncio.get_running_loop().call_later(STOP_S, end)
        else:
            self._to.print(Text("\nStops when what is under way is done. Ctrl-C again: at once.", "yellow"))
        return True

    async def on_event(self, event: Event) -> None:
        """Draw the run anew; a resumed run's events come again from the first."""
        self._events = [*self._events[: event.n - 1], event]
        state = fold(self._events)
        self.view.show(state)
        if self._end is not None and not state.ended:
            self._end()

    async def on_progress(self, step: str, done: float, total: float | None, message: str) -> None:
        """Say how far the step is."""
        share = f"{done:,.0f}" + (f" of {total:,.0f}" if total else "")
        self.view.progress(step, message or share)


def conduct(work: Callable[[Watching], Awaitable[Outcome]], shown: View | None = None) -> Outcome:
    """Do `work` in view of the person; whatever breaks it off, say how to go on.

    Raises:
        Trouble: it was interrupted, or could not go on for a reason that is known.
    """
    to = console()
    with shown or view_for(to) as view:
        watching = Watching(view, to)
        try:
            return start_gently(partial(work, watching), watching.stop)
        except KeyboardInterrupt:
            what = f"Interrupted. {watching.run} is kept as far as it got." if watching.run else "Interrupted."
            raise Trouble(
                Failure(kind="unavailable", message=what, retry=True, way_out=_go_on(watching)),
                INTERRUPTED,
                watching.run,
            ) from None
        except Exception as error:
            known = failure_of(root(error))
            if known is None or not watching.run or isinstance(root(error), TakenOver):
                raise
            way_out = f"{known.way_out} {_go_on(watching)}".strip()
            raise Trouble(known.model_copy(update={"way_out": way_out}), run=watching.run) from error


def _go_on(watching: Watching) -> str:
    return f"Go on with: podium resume {watching.run}" if watching.run else "Nothing was begun."


async def start_run(wishes: Wishes, watching: Watching) -> Outcome:
    """Begin a run and bring it as far as it goes.

    Raises:
        Trouble: the wishes cannot be met; nothing was begun.
    """
    wish = settled(wishes)
    asks_models = wishes.engine != "search"
    settings = (wish.project, wishes.unsandboxed, wishes.quiet, asks_models, wishes.consent_weak)
    async with conductor(watching, *settings) as (conducting, crew):
        check_sandbox(crew, wishes)
        if await conducting.bus.last(RUNS_STREAM, f"run.{wish.task.run}.started") is not None:
            raise trouble(f"There is a run {wish.task.run} already.", "Start it under another name, or none.", code=2)
        return await conducting.start(wish.task, wish.workflow, wish.policy)


async def resume_run(name: str, auto: str, unsandboxed: bool, quiet: bool, watching: Watching) -> Outcome:
    """Go on with a run, or without a name with the one that is unfinished; `auto` replaces who decides."""
    async with conductor(watching, ProjectConfig(), unsandboxed, quiet, asks_models=True) as (conducting, _):
        run = await find_run(conducting.bus, name) if name else await the_one_left(conducting.bus)
        started = (await events_of(conducting.bus, run))[0].what
        assert isinstance(started, RunStartedEvent)
        project = config.load_project(Path(started.task.repo))
        policy = config.policy(started.workflow, project, auto) if auto else None
        checkout = GitCheckout(work=conducting.paths.work, test=project.test)
        return await replace(conducting, checkout=checkout).resume(run, policy)


async def abort_run(name: str, reason: str, watching: Watching) -> Outcome:
    """End a run."""
    async with conductor(watching, ProjectConfig(), False, True) as (conducting, _):
        return await conducting.abort(await find_run(conducting.bus, name), by=who(), reason=reason)


@asynccontextmanager
async def conductor(
    watching: Watching,
    project: ProjectConfig,
    unsandboxed: bool,
    quiet: bool,
    asks_models: bool = False,
    consent_weak: bool = False,
) -> AsyncGenerator[tuple[Conductor, tuple[Card, ...]]]:
    """Everything a run needs, for as long as the block runs, and who is in the crew.

    Raises:
        HouseFailed: there is no house that suits; with `asks_models`, that includes its keys.
        ConfigError: models are to be asked, and where they are is said wrongly.
    """
    state = state_dir()
    if unsandboxed:
        console().print(Text("NO SANDBOX where none works: this repository's code runs with your rights.", "bold red"))
    desk = None
    if not quiet and somebody_is_here():
        desk = TerminalDesk(console(), who(), read_terminal_line, edit_in_editor, state / "drafts", watching.view.pause)
    async with (
        house(state, unsandboxed=unsandboxed, asks_models=asks_models, consent_weak=consent_weak) as found,
        connect(state, found.url, ORCHESTRATOR) as bus,
        open_caller(bus) as caller,
    ):
        crew = await cards(bus)
        paths = Paths.below(state)
        yield (
            Conductor(
                bus=bus,
                calls=caller,
                offered=planner.tools_of(crew),
                checkout=GitCheckout(work=paths.work, test=project.test),
                paths=paths,
                observer=watching,
                desk=desk,
                on_ended=_exporting(partial(connect, state, found.url, AUDITOR)) if tracing.endpoint() else None,
            ),
            crew,
        )


def _exporting(auditor: Callable[[], AbstractAsyncContextManager[Bus]]) -> Exporting:
    """Exports traces while the command goes on; when it has said what it has to say, it waits for that."""
    exporting = Exporting(auditor, lambda text: click.secho(f"podium: {text}", err=True, fg="yellow"))
    click.get_current_context().call_on_close(exporting.wait)
    return exporting


def check_sandbox(crew: tuple[Card, ...], wishes: Wishes) -> None:
    """See that the sandbox is one this repository's code may run in.

    Raises:
        Trouble: it is weak, and the person has not consented.
    """
    if not any(card.sandbox == "weak" for card in crew if card.manifest.name in RUNS_CODE) or wishes.consent_weak:
        return
    warning = (
        "Only a weak sandbox works on this machine: code of this repository and patches that were never read "
        "run without network and with limits, but can read what you can read."
    )
    if not wishes.quiet and somebody_is_here():
        click.secho(warning, err=True, fg="yellow")
        if click.confirm("Run it all the same?", default=False, err=True):
            return
        raise trouble("Nothing was run.", "`podium doctor` says what makes the sandbox better.", code=4)
    raise trouble(warning, "If that is acceptable: --consent-weak. `podium doctor` says what makes it better.")
