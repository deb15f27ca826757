"""What commands share: options, the connection to house and ledger, and the one document on stdout."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import Enum, auto
from functools import partial
from types import FrameType
from typing import Any, ParamSpec, TypeVar

import anyio
import click
from pydantic import BaseModel, TypeAdapter, ValidationError
from rich.console import Console

from bus.bus import Bus
from bus.connect import connect
from contracts.base import Name
from orchestrator.house import house, state_dir
from orchestrator.view import console

P = ParamSpec("P")
T = TypeVar("T")

AUDITOR = "auditor"
PERSON = "person"

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
run_argument = click.argument("run", metavar="RUN")
reason_option = click.option("--reason", default="", help="Why; goes on the ledger.")


class Interrupted(Enum):
    """What came instead of a result."""

    BY_SIGNAL = auto()


def who() -> str:
    """The person at the keyboard, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in many containers
        return f"uid-{os.getuid()}"


def somebody_is_here() -> bool:
    """Whether a person at a terminal can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def a_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """An option's value that names a server or a host."""
    try:
        return TypeAdapter[str](Name).validate_python(value)
    except ValidationError:
        raise click.BadParameter("Take lower-case letters, digits, - and _, and begin with a letter.") from None


def out() -> Console:
    """The console for people: stdout, so that it can be piped to a pager."""
    return console(err=False)


Gently = Callable[[int, Callable[[], object]], bool]
"""Told of the first signal that is to end a command, and of what ends it at once: whether it sees to the end itself."""


def start(task: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an async command. Ctrl-C or SIGTERM ends it in good order; a second one at once.

    Raises:
        KeyboardInterrupt: it was ended so.
    """
    return start_gently(partial(task, *args, **kwargs))


def start_gently(task: Callable[[], Awaitable[T]], gently: Gently | None = None) -> T:
    """The same; where `gently` takes the first signal up, the second ends it in good order, and a third at once."""
    ending = _Ending(gently)

    async def call() -> T | Interrupted:
        with ending.scope():
            return await task()
        return Interrupted.BY_SIGNAL

    # asyncio's own way cancels once, which gets lost where an answer arrives at the same moment (`wait_for`), and
    # raises wherever it is when the loop is being closed; so its handlers are never in place.
    before = {each: signal.signal(each, ending) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        result = anyio.run(call, backend_options={"use_uvloop": sys.platform != "win32"})
    except BaseException:
        if ending.at_once:
            raise KeyboardInterrupt from None
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if result is Interrupted.BY_SIGNAL:
        raise KeyboardInterrupt
    return result


class _Ending:
    """The handler of signals that end a command: they cancel its scope, and come too late once that is left."""

    def __init__(self, gently: Gently | None) -> None:
        self.at_once = False
        """The last has come: whatever is raised now is of its making."""
        self._gently = gently
        self._told = False
        self._scope: tuple[asyncio.AbstractEventLoop, anyio.CancelScope] | None = None

    @contextmanager
    def scope(self) -> Generator[None]:
        """What a signal cancels; if one came before, right away."""
        with anyio.CancelScope() as scope:
            self._scope = asyncio.get_running_loop(), scope
            if self._told:
                scope.cancel()
            try:
                yield
            finally:
                self._scope = None

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        first, self._told = not self._told, True
        if self._scope is None:
            return
        loop, scope = self._scope
        if first and self._gently is not None:
            # Not here: a handler runs between any two steps of the program, also within a print.
            loop.call_soon_threadsafe(self._begin, self._gently, signum, scope)
        elif first or self._gently is not None:
            self._gently = None
            loop.call_soon_threadsafe(scope.cancel)
        else:
            self.at_once = True
            raise KeyboardInterrupt

    def _begin(self, gently: Gently, signum: int, scope: anyio.CancelScope) -> None:
        if self._gently is not None and not gently(signum, scope.cancel):
            self._gently = None
            scope.cancel()


def document(what: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """Print the one JSON document."""
    if isinstance(what, BaseModel):
        text = what.model_dump_json(indent=2)
    elif isinstance(what, dict):
        text = json.dumps(what, indent=2, ensure_ascii=False)
    else:
        text = json.dumps([each.model_dump(mode="json") for each in what], indent=2, ensure_ascii=False)
    click.echo(text)


@asynccontextmanager
async def ledger(identity: str = AUDITOR) -> AsyncGenerator[Bus]:
    """The bus as `identity`, with a house held (and started, where none runs) for as long as it is used."""
    state = state_dir()
    async with house(state) as found, connect(state, found.url, identity) as bus:
        yield bus
