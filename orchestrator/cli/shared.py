"""What commands share: options, the connection to house and ledger, and the one document on stdout."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

import anyio
import click
from pydantic import BaseModel
from rich.console import Console

from bus.bus import Bus
from bus.connect import connect
from orchestrator.house import house, state_dir
from orchestrator.view import console

P = ParamSpec("P")
T = TypeVar("T")

AUDITOR = "auditor"
PERSON = "person"

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
run_argument = click.argument("run", metavar="RUN")
reason_option = click.option("--reason", default="", help="Why; goes on the ledger.")


def who() -> str:
    """The person at the keyboard, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in many containers
        return f"uid-{os.getuid()}"


def out() -> Console:
    """The console for people: stdout, so that it can be piped to a pager."""
    return console(err=False)


def start(task: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an async command."""

    async def call() -> T:
        return await task(*args, **kwargs)

    return anyio.run(call, backend_options={"use_uvloop": sys.platform != "win32"})


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
