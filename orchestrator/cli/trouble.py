"""What a person reads when something goes wrong: the message and the way out, never a traceback."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import cast

import click
from pydantic import ValidationError

from bus.errors import BusError, BusUnavailable, CallFailed, ServerGone, StoreFull
from contracts.failure import Failure
from contracts.trace import trace_of_run
from orchestrator.errors import ConfigError, OrchestratorError


class Trouble(Exception):
    """An expected error; `code` is the exit code, `run` the run that it befell, if any."""

    def __init__(self, failure: Failure, code: int = 1, run: str = "") -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.code = code
        self.run = run


def trouble(message: str, way_out: str = "", *, code: int = 1) -> Trouble:
    """An expected error that trying again does not help."""
    return Trouble(Failure(kind="invalid", message=message, way_out=way_out), code)


def report(error: Exception, args: Sequence[str]) -> int:
    """Say what went wrong, as text and, with `--json`, as the one document on stdout; returns the exit code.

    Raises:
        BrokenPipeError: that was it; there is nobody to tell.
    """
    if isinstance(error, click.ClickException):
        error.show()
        if "--json" in args:
            _document(Failure(kind="invalid", message=error.format_message()))
        return error.exit_code
    error = root(error)
    if isinstance(error, BrokenPipeError):
        raise error
    known = failure_of(error)
    if known is None or "--debug" in args:
        traceback.print_exception(error, file=sys.stderr)
    failure = known or Failure(
        kind="internal",
        message=f"That is a defect in Podium: {type(error).__name__}: {error}",
        way_out="Please report it with the lines above. Nothing in your checkout was touched.",
    )
    click.secho(f"podium: {failure.message}", err=True, fg="red")
    if failure.way_out:
        click.echo(f"  → {failure.way_out}", err=True)
    if "--json" in args:
        _document(failure, error.run if isinstance(error, Trouble) else "")
    return error.code if isinstance(error, Trouble) else 1


def _document(failure: Failure, run: str = "") -> None:
    befell = {"run": run, "trace_id": trace_of_run(run)} if run else {}
    click.echo(json.dumps({"error": failure.model_dump(mode="json"), **befell}, ensure_ascii=False))


def root(error: Exception) -> Exception:
    """What an exception group is about: its first member that can be explained, or its first."""
    members = list(_members(error))
    return next((each for each in members if failure_of(each)), members[0])


def _members(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for each in cast("ExceptionGroup[Exception]", error).exceptions:
            yield from _members(each)
    else:
        yield error


def failure_of(error: BaseException) -> Failure | None:
    """What an expected error says; None for a defect."""
    known = getattr(error, "failure", None)
    if isinstance(known, Failure) and not isinstance(error, CallFailed):
        return known
    match error:
        case CallFailed():
            return error.failure.model_copy(update={"message": f"{error.server}.{error.tool}: {error.failure.message}"})
        case BusUnavailable():
            return Failure(
                kind="unavailable",
                message=f"The broker does not answer: {error}",
                retry=True,
                way_out="`podium status` says whether it runs; `podium down` and the same command again start it anew.",
            )
        case StoreFull():
            way_out = (
                "Make room where the broker keeps it, or raise its limits; one whose disk was full must be started "
                "anew. Then `podium resume last`."
            )
            return Failure(kind="limit", message=f"The ledger takes no more: {error}", retry=True, way_out=way_out)
        case ServerGone():
            way_out = "`podium agents` says who is there; `podium resume last` makes no call twice."
            return Failure(kind="unavailable", message=str(error), retry=True, way_out=way_out)
        case BusError():
            return Failure(kind="unavailable", message=str(error), retry=error.retry)
        case ConfigError():
            where = f"{error.file}: {error.key}" if error.key else error.file
            return Failure(kind="invalid", message=f"{where}: {error.reason}.", way_out=error.way_out)
        case OrchestratorError():
            return Failure(kind="conflict", message=_sentence(str(error)))
        case ValidationError():
            lines = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            return Failure(kind="invalid", message=f"{error.title} is not valid: {'; '.join(lines)}")
        case PermissionError() | FileNotFoundError() | OSError() if error.filename:
            return Failure(kind="unavailable", message=f"{error.strerror}: {error.filename}")
        case _:
            return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
