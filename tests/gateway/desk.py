"""A host's surroundings for runs: people who answer forms, and conductors that follow a script."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from anyio.abc import TaskGroup
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.client import ConnectMode

from bus.caller import open_caller
from contracts.failure import Failure
from contracts.gateway import RunWorkflowParams
from contracts.terms import Terms
from orchestrator.gateway.flows import Flows, Voice
from orchestrator.gateway.gateway import Gateway
from orchestrator.gateway.upstream import Upstream
from tests.gateway.test_gateway import HOST
from tests.orchestrator.stage import Stage

Content = dict[str, str | int | float | bool | list[str] | None]
Reply = Callable[[types.ElicitRequestFormParams], Content | str]
"""What is filled in; `decline` or `cancel` where nothing is."""


@dataclass
class Person:
    """Fills in forms as a function of what is shown; remembers what that was."""

    reply: Reply
    shown: list[types.ElicitRequestFormParams] = field(default_factory=list[types.ElicitRequestFormParams])

    async def __call__(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        assert isinstance(params, types.ElicitRequestFormParams)
        self.shown.append(params)
        said = self.reply(params)
        if isinstance(said, str):
            return types.ElicitResult(action="decline" if said == "decline" else "cancel")
        return types.ElicitResult(action="accept", content=said)


def approving(params: types.ElicitRequestFormParams) -> Content:
    return {"verdict": "approve"}


def in_turn(*replies: Content | str) -> Reply:
    """One reply after the other."""
    left = list(replies)
    return lambda params: left.pop(0)


@dataclass
class ScriptedConductor:
    """A task that conducts a run, or one that could not."""

    took_up: str = ""
    why_not: Failure | None = None
    done: anyio.Event = field(default_factory=anyio.Event)

    async def wait(self) -> None:
        await self.done.wait()

    def has_ended(self) -> bool:
        return self.done.is_set()

    def failure(self) -> Failure | None:
        return self.why_not


@dataclass
class ScriptedConducting:
    """Resumes a stage's run in this process; starting is only remembered."""

    stage: Stage
    tasks: TaskGroup
    why_not: Failure | None = None
    begun: list[tuple[str, RunWorkflowParams]] = field(default_factory=list[tuple[str, RunWorkflowParams]])
    resumed: list[str] = field(default_factory=list[str])
    known: dict[str, ScriptedConductor] = field(default_factory=dict[str, ScriptedConductor])

    def start(self, run: str, asked: RunWorkflowParams) -> ScriptedConductor:
        self.begun.append((run, asked))
        return self._known(run, ScriptedConductor(why_not=self.why_not))

    def resume(self, run: str, gate: str) -> ScriptedConductor:
        self.resumed.append(gate)
        return self._known(run, ScriptedConductor(gate, self.why_not))

    def of(self, run: str) -> ScriptedConductor | None:
        return self.known.get(run)

    def forget(self, run: str) -> None:
        self.known.pop(run)

    def _known(self, run: str, conductor: ScriptedConductor) -> ScriptedConductor:
        async def conduct() -> None:
            if self.why_not is None:
                await self.stage.conductor().resume(run)
            conductor.done.set()

        self.known[run] = conductor
        self.tasks.start_soon(conduct)
        return conductor


@dataclass
class Desk:
    """A host's client, and what is behind its gateway."""

    client: Client
    conducting: ScriptedConducting

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call's structured result, which is no failure."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call's failure."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.content
        assert result.meta is not None
        failure: dict[str, Any] = result.meta["io.podium/failure"]
        return failure


@asynccontextmanager
async def at_a_desk(
    stage: Stage,
    era: ConnectMode,
    person: Person | None = None,
    *,
    own_word: bool = False,
    terms: Terms | None = None,
    why_not: Failure | None = None,
    **more: Any,
) -> AsyncGenerator[Desk]:
    """A host with a person at it, or none that it can ask."""
    terms = terms or Terms()
    async with anyio.create_task_group() as tasks:
        bus = stage.broker.connect(HOST)
        async with open_caller(bus) as caller:
            conducting = ScriptedConducting(stage, tasks, why_not)
            upstream, voice = Upstream(bus, caller), Voice("desk", "ann", terms.decides, own_word)
            gateway = Gateway(bus, upstream, terms, Flows(bus, upstream, conducting, voice))
            tasks.start_soon(gateway.tell_of_runs)
            async with Client(
                gateway.server("podium", "1"), mode=era, elicitation_callback=person, cache=None, **more
            ) as client:
                yield Desk(client, conducting)
        tasks.cancel_scope.cancel()
