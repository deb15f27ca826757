"""A model server as a test has it: a scripted endpoint over real HTTP, a ledger in memory, and sleep that is noted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from bus.lives import FIRST, Life
from bus.wire import JsonObject
from contracts.base import Model
from contracts.config import EndpointConfig, ModelsConfig, Price
from contracts.gate_policy import Policy
from contracts.model import CompleteParams, CompleteResult, PromptName, Role, Turn
from contracts.run import RunStartedEvent
from contracts.spending import Allowance
from contracts.task import Task
from contracts.workflow import Budgets, Workflow, WorkflowStep
from servers.model import ModelServer
from servers.sandbox.job import Finished, Job, OnLine
from servers.specialist import Call, Room
from tests.model.messages_server import MessagesServer, messages_server

R = TypeVar("R", bound=Model)

RUN = "r-scripted"
KEY = "sk-test-0123456789abcdef"
MODEL = "scripted-1"
SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"answer": {"type": "integer", "minimum": 1}, "why": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
GOOD: JsonObject = {"answer": 42, "why": "so"}
PRICE = Price(input=Decimal(1), output=Decimal(10), cache_read=Decimal("0.1"), cache_write=Decimal("1.25"))


@dataclass
class AskedCall:
    """A call that remembers the progress it was told."""

    id: str = "0" * 32
    caller: str = "code_writer"
    life: Life = FIRST
    told: list[tuple[float, float | None, str]] = field(default_factory=list[tuple[float, float | None, str]])

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.told.append((done, total, message))


class NoCrew:
    """Nobody to call."""

    async def call(self, tool: str, params: Model, result: type[R], *, parent: Call) -> R:
        raise AssertionError(f"the model server called {tool}")


class NoSandbox:
    """Nothing to run."""

    async def run(self, job: Job, on_line: OnLine | None = None) -> Finished:
        raise AssertionError("the model server ran a program")


@dataclass
class MemoryLedger:
    """One run, and answers from before."""

    budgets: Budgets = field(default_factory=Budgets)
    models: dict[Role, str] = field(default_factory=dict[Role, str])
    answers: list[tuple[str, JsonObject]] = field(default_factory=list[tuple[str, JsonObject]])

    async def run_started(self, run: str) -> RunStartedEvent | None:
        if run != RUN:
            return None
        step = WorkflowStep(id="write", title="Write", agent="code_writer")
        return RunStartedEvent(
            task=Task(run=RUN, workflow="fix-bug", repo="/repo", models=self.models),
            workflow=Workflow(name="fix-bug", title="Fix", steps=(step,), budgets=self.budgets),
            policy=Policy(),
        )

    async def own_results(self) -> AsyncIterator[tuple[str, JsonObject]]:
        for answer in self.answers:
            yield answer


def budgets(agent: Allowance | None = None, **limits: object) -> Budgets:
    """Budgets with `limits` for the run, and `agent` for code_writer."""
    model = Allowance.model_validate(limits)
    return Budgets(model=model, agents={} if agent is None else {"code_writer": agent})


def params(**over: object) -> CompleteParams:
    """A question that has nothing special."""
    plain: dict[str, object] = {
        "run": RUN,
        "role": "writer",
        "prompt": PromptName(name="plain", sha256="0" * 64),
        "system": "You answer.",
        "turns": (Turn(role="user", text="What is the answer?"),),
        "reply_name": "answer",
        "reply_schema": SCHEMA,
        "max_tokens": 1000,
    }
    return CompleteParams.model_validate(plain | over)


@dataclass
class Rig:
    """The server, and what stands around it."""

    server: ModelServer
    endpoint: MessagesServer
    ledger: MemoryLedger
    slept: list[float]

    async def complete(self, caller: str = "code_writer", life: Life = FIRST, **over: object) -> CompleteResult:
        """Ask; what came is stored in the ledger, as the bus would."""
        result = await self.server.complete(params(**over), AskedCall(caller=caller, life=life))
        self.ledger.answers.append((caller, result.model_dump(mode="json")))
        return result

    @property
    def ways(self) -> list[str]:
        """How the endpoint was asked, request by request."""
        return [asked.way for asked in self.endpoint.requests]


def models(url: str, priced: bool = True, **endpoint: object) -> ModelsConfig:
    """Both roles at one endpoint."""
    plain: dict[str, object] = {"base_url": url, "key_env": "SCRIPTED_KEY", "timeout_s": 20}
    at = EndpointConfig.model_validate(plain | endpoint)
    return ModelsConfig(
        default="scripted",
        endpoints={"scripted": at},
        roles={"planner": MODEL, "writer": MODEL},
        prices={MODEL: PRICE} if priced else {},
    )


def room(keys: Mapping[str, str], ledger: MemoryLedger | None) -> Room:
    """A room with nothing but keys and a ledger."""
    nowhere = Path("/nowhere")
    return Room(nowhere, nowhere, NoCrew(), NoSandbox(), ledger, keys)


@asynccontextmanager
async def rig(
    script: object, ledger: MemoryLedger | None = None, priced: bool = True, **endpoint: object
) -> AsyncGenerator[Rig]:
    """A model server before a scripted endpoint; `endpoint` are fields of its `EndpointConfig`."""
    ledger = ledger or MemoryLedger()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with messages_server(script) as at:
        config = models(at.url, priced, **endpoint)
        server = ModelServer(room({"SCRIPTED_KEY": KEY}, ledger), models=config, sleep=sleep, chance=lambda: 0.0)
        yield Rig(server, at, ledger, slept)
