"""What a specialist is: a manifest, and methods marked as tools. It knows nothing of the bus.

A specialist's file holds its own idea only::

    class Repository:
        manifest = Manifest(name="repository", title="Repository", ...)

        def __init__(self, room: Room) -> None: ...

        @tool(read_only=True)
        async def read(self, params: ReadParams, call: Call) -> ReadResult:
            \"\"\"Read part of a text file.\"\"\"
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, get_type_hints

from bus.lives import Life
from bus.wire import JsonObject
from contracts.base import Model
from contracts.failure import Failure, FailureKind
from contracts.manifest import Manifest, ToolSpec
from contracts.run import RunStartedEvent
from contracts.spending import Spending
from servers.deadline import DEADLINE_S
from servers.sandbox.job import Finished, Job, OnLine

P = TypeVar("P", bound=Model)
R = TypeVar("R", bound=Model)


class ToolError(Exception):
    """A tool could not do what was asked; becomes the call's stored, structured failure."""

    def __init__(
        self, kind: FailureKind, message: str, *, retry: bool = False, way_out: str = "", spent: Spending | None = None
    ) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message, retry=retry, way_out=way_out, spent=spent)


class Call(Protocol):
    """The call being answered."""

    @property
    def id(self) -> str:
        """The call's id; side effects are keyed by it."""
        ...

    @property
    def caller(self) -> str:
        """The identity the broker and the signature vouch for."""
        ...

    @property
    def life(self) -> Life:
        """Which execution of the call this is; a later one follows one that ended before its answer was stored."""
        ...

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell the caller how far the work is; not stored."""
        ...


class Crew(Protocol):
    """The other members, as far as this one was granted to call them."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        """Call `server.tool`; raises `ToolError` with the other side's failure."""
        ...


class OwnLedger(Protocol):
    """What a specialist that must account for itself reads of the ledger; granted with `net:model` only."""

    async def run_started(self, run: str) -> RunStartedEvent | None:
        """What `run` was asked and allowed, as the orchestrator sealed it; None if there is no such run."""
        ...

    def own_results(self) -> AsyncIterator[tuple[str, JsonObject]]:
        """Every stored answer of this server that is no failure, oldest first: its caller, and the result."""
        ...


class Sandbox(Protocol):
    """Runs a program confined; see `servers.sandbox`."""

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        """Run to the end; cancellation kills the whole process tree."""
        ...


@dataclass(frozen=True)
class Room:
    """What one specialist process may touch; made by the runtime from its grants."""

    work: Path
    """Runs live at `work/<run>/`: `repo.git` (bare) and `tree` (the worktree)."""
    scratch: Path
    """This specialist's own folder for throw-away copies."""
    crew: Crew
    sandbox: Sandbox
    ledger: OwnLedger | None = None
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables with keys and addresses of model endpoints; for `net:model` only."""

    def tree(self, run: str) -> Path:
        """The run's worktree.

        Raises:
            ToolError: not_found, when the run has none.
        """
        path = self.work / run / "tree"
        if not path.is_dir():
            raise ToolError("not_found", f"run {run} has no worktree", way_out="Call workspace.open first.")
        return path


class Specialist(Protocol):
    """A manifest and methods marked with `tool`."""

    manifest: ClassVar[Manifest]


Handler = Callable[[Any, Call], Awaitable[Model]]

Deadline = float | Callable[[Any, Any], float]
"""Seconds that a tool may work on a call, or a function that tells them from the specialist and the parameters."""


@dataclass(frozen=True)
class Tool:
    """A bound tool: its published description and what answers it."""

    spec: ToolSpec
    params: type[Model]
    result: type[Model]
    handler: Handler
    deadline: float | Callable[[Any], float]
    """Seconds, or a function that tells them from the parameters."""

    def deadline_s(self, params: Model) -> float:
        """How long it may work on a call with these parameters."""
        return self.deadline(params) if callable(self.deadline) else self.deadline


@dataclass(frozen=True)
class _Mark:
    """What a tool's declaration says of it."""

    hints: dict[str, bool]
    deadline: Deadline


def tool(
    *,
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = True,
    open_world: bool = False,
    deadline_s: Deadline = DEADLINE_S,
) -> Callable[[Callable[..., Awaitable[R]]], Callable[..., Awaitable[R]]]:
    """Mark a method `(self, params: P, call: Call) -> R` as a tool; its docstring is the description.

    The keywords are MCP's tool annotations (specification 2026-07-28, `ToolAnnotations`), and how long it may work on
    a call; the time others take whom it calls does not count. Limits of its own have to be below that.
    """

    def mark(method: Callable[..., Awaitable[R]]) -> Callable[..., Awaitable[R]]:
        hints = {
            "read_only": read_only,
            "destructive": destructive,
            "idempotent": idempotent,
            "open_world": open_world,
        }
        setattr(method, "__podium_tool__", _Mark(hints, deadline_s))  # noqa: B010 - a plain attribute is not typed on functions
        return method

    return mark


def tool_names(kind: type[Specialist], *, read_only: bool = False) -> frozenset[str]:
    """The names of a specialist's tools, without making one; with `read_only` those that change nothing."""
    marks = {name.rstrip("_"): _mark(method) for name, method in inspect.getmembers(kind)}
    return frozenset(name for name, mark in marks.items() if mark and (mark.hints["read_only"] or not read_only))


def _mark(method: object) -> _Mark | None:
    return getattr(method, "__podium_tool__", None)


def tools_of(specialist: Specialist) -> tuple[Tool, ...]:
    """The tools of a specialist, by name."""
    found: list[Tool] = []
    for name, method in inspect.getmembers(specialist, inspect.iscoroutinefunction):
        mark = _mark(method)
        if mark is None:
            continue
        types = get_type_hints(method)
        params, result = types["params"], types["return"]
        doc = inspect.getdoc(method) or ""
        spec = ToolSpec(
            name=name.rstrip("_"),
            title=doc.split("\n", 1)[0].rstrip("."),
            description=doc,
            input_schema=params.model_json_schema(),
            output_schema=result.model_json_schema(mode="serialization"),
        ).model_copy(update=mark.hints)
        deadline = partial(mark.deadline, specialist) if callable(mark.deadline) else mark.deadline
        found.append(Tool(spec, params, result, method, deadline))
    return tuple(found)
