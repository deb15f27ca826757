"""A run on a terminal: live where there is one, plain lines where there is none.

Both draw a `RunState` and nothing else; what they are told in between is how far a tool call is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import NoReturn, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from contracts.base import utc_now
from contracts.state import RunState, StepState
from orchestrator.text import duration, line

MARKS = {"running": ("●", "cyan"), "done": ("✓", "green"), "failed": ("✗", "red")}
STATUS_STYLE = {
    "running": "cyan",
    "waiting": "yellow",
    "handed_over": "green",
    "failed": "red",
    "aborted": "red",
}
NARROW = 70
"""Columns below which the agent's name is left out."""


class View(Protocol):
    """Shows a run while it happens."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, state: RunState) -> None:
        """The run stands like this now."""
        ...

    def progress(self, step: str, message: str) -> None:
        """What a step that is at work says of itself."""
        ...

    def pause(self) -> None:
        """Leave the screen to somebody else, until the next `show`."""
        ...


def console(*, err: bool = True) -> Console:
    """The console everything but a JSON document goes to; `NO_COLOR` and `TERM=dumb` count."""
    return _Console(stderr=err, highlight=False, markup=False, emoji=False, soft_wrap=False)


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to `main`, which knows that a reader who has seen enough is no error."""
        raise BrokenPipeError


def view_for(out: Console) -> View:
    """What suits `out`."""
    live = out.is_terminal and not out.is_dumb_terminal and "CI" not in os.environ
    return LiveView(out) if live else PlainView(out)


class LiveView:
    """Redraws the steps in place, four times a second, so that elapsed times run; the last picture stays."""

    def __init__(self, out: Console, clock: Callable[[], datetime] = utc_now) -> None:
        self._out = out
        self._clock = clock
        self._state: RunState | None = None
        self._said: dict[str, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()
        if self._state is not None:
            self._out.print(self._draw())

    def show(self, state: RunState) -> None:
        """Redraw."""
        self._state = state
        if state.open_gate is None:
            self._start()

    def progress(self, step: str, message: str) -> None:
        """Say it beside the step."""
        self._said.pop(step, None)
        self._said[step] = message

    def pause(self) -> None:
        """Take the picture away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._out,
                get_renderable=self._draw,
                refresh_per_second=4,
                redirect_stderr=False,
                transient=True,
            )
            self._live.start()

    def _draw(self) -> RenderableType:
        return picture(self._state, self._clock(), self._said, self._out.width) if self._state else Text("")


class PlainView:
    """One line when a step begins and one when it ends: for pipes, logs and CI."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, state: RunState) -> None:
        """Print what is new."""
        for step in state.steps:
            if self._told.get(step.step) == step.status:
                continue
            self._told[step.step] = step.status
            mark = MARKS[step.status][0]
            took = f" ({duration(elapsed(step, state.updated_at))})" if step.ended_at else ""
            summary = f": {step.summary}" if step.summary else ""
            self._out.print(Text(line(f"{mark} {step.title} [{step.agent}]{summary}{took}")), soft_wrap=True)

    def progress(self, step: str, message: str) -> None:
        """Nothing: a log is not a place for a counter."""

    def pause(self) -> None:
        """Nothing to leave."""


def picture(state: RunState, now: datetime, said: dict[str, str], width: int) -> RenderableType:
    """The run as steps with who works on what, and for how long."""
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(width=1)
    table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
    if width >= NARROW:
        table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, style="dim")
    for step in state.steps:
        mark, style = MARKS[step.status]
        text = Text(line(step.title), style="bold" if step.status == "running" else "")
        note = told(step.step, said) if step.status == "running" else step.summary
        if note:
            text.append(f"  {line(note)}", style="not bold dim" if step.status != "failed" else "not bold red")
        cells: list[Text] = [Text(mark, style=style), text]
        if width >= NARROW:
            cells.append(Text(step.agent))
        table.add_row(*cells, Text(duration(elapsed(step, now))))
    return Group(header(state, now), table)


def told(step: str, said: dict[str, str]) -> str:
    """What a step's tool calls said last; a call's path begins with its step's."""
    return next((text for path, text in reversed(said.items()) if path == step or path.startswith(f"{step}/")), "")


def header(state: RunState, now: datetime) -> Text:
    """One line on the whole run."""
    end = state.ended_at or now
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(state.run, style="bold")
    text.append(f"  {state.status.replace('_', ' ')}", style=STATUS_STYLE[state.status])
    text.append(f"  {duration((end - state.started_at).total_seconds())}", style="dim")
    if state.task.request:
        text.append(f"  {line(state.task.request, 80)}")
    return text


def elapsed(step: StepState, now: datetime) -> float:
    """Wall seconds a step took, or has taken so far."""
    return ((step.ended_at or now) - step.started_at).total_seconds()
