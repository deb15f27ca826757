"""Deterministic execution over the journal.

A workflow is an ordinary async function. Whatever it takes from outside goes through here: tool calls, values
from disk or clock, and people's decisions. Each is written down before it counts, under the step path it
belongs to; after a crash the function simply runs again and is given the same things.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol, TypeVar

from bus.bus import Bus
from bus.caller import Calls
from bus.errors import CallFailed
from contracts.base import Model, utc_now
from contracts.gate import GateDecision, GateRequest, Subject
from contracts.gate_policy import Policy
from contracts.metrics import Metrics
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    Event,
    GateClosedEvent,
    GateDecidedEvent,
    GateOpenedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    ValueRecordedEvent,
)
from contracts.spending import Paid
from contracts.workflow import Workflow, WorkflowStep
from orchestrator import gates, policies
from orchestrator.errors import CouldNot, Diverged, Waiting
from orchestrator.journal import Journal
from orchestrator.metrics import measure
from orchestrator.seals import Seals

M = TypeVar("M", bound=Model)

GATE_LIFETIME = timedelta(days=7)
"""How long a gate stays open; afterwards a resumed run asks again."""

MAX_GATE_ATTEMPTS = 5
"""How often one gate is opened anew after it expired or got a decision that does not fit."""

MAX_CALL_ATTEMPTS = 3
"""How often a call is made whose failure says that a retry can help."""


class Observer(Protocol):
    """Watches a run: a view, a log."""

    async def on_event(self, event: Event) -> None:
        """An event is stored; events from before a resume come first."""
        ...

    async def on_progress(self, step: str, done: float, total: float | None, message: str) -> None:
        """The agent at work in `step` says how far it is; not stored."""
        ...


class Engine:
    """One orchestrator's hold on one run."""

    def __init__(
        self,
        *,
        bus: Bus,
        calls: Calls,
        journal: Journal,
        workflow: Workflow,
        run: str,
        policy: Policy,
        observer: Observer,
        desk: gates.Desk | None,
    ) -> None:
        self._bus = bus
        self._seals = Seals(bus)
        self._calls = calls
        self._journal = journal
        self._workflow = workflow
        self._run = run
        self._policy = policy
        self._observer = observer
        self._desk = desk
        self._asked: set[str] = set()

    @asynccontextmanager
    async def step(self, name: str, *path: object) -> AsyncGenerator[Step]:
        """Work inside the workflow's step `name`; `path` tells repetitions apart. What it may call, the step says."""
        spec = next(each for each in self._workflow.steps if each.id == name)
        where = "/".join((name, *map(str, path)))
        if where not in self._journal.steps_started:
            await self._journal.add(StepStartedEvent(step=where, title=spec.title, agent=spec.agent))
        step = Step(self, spec, where)
        try:
            yield step
        except (CouldNot, CallFailed) as error:
            await self._finish(where, ok=False, summary=str(error))
            raise
        await self._finish(where, ok=True, summary=step.summary)

    async def _finish(self, where: str, *, ok: bool, summary: str) -> None:
        if where not in self._journal.steps_finished:
            await self._journal.add(StepFinishedEvent(step=where, ok=ok, summary=summary))

    async def record(self, path: str, produce: Callable[[], Awaitable[M]], model: type[M]) -> M:
        """The value `produce` gave the first time; it may run again if a crash came before it was written down."""
        self._ask_once(path)
        kept = self._journal.values.get(path)
        if kept is None:
            kept = ValueRecordedEvent(step=path, value=(await produce()).model_dump(mode="json"))
            await self._journal.add(kept)
        return model.model_validate(kept.value)

    async def call(self, path: str, server: str, tool: str, params: Model, result: type[M]) -> M:
        """Have `server` run `tool`, once; the same call id after a crash finds the answer that is stored.

        Raises:
            Diverged: the journal holds another call under `path`, or the stored answer is not the recorded one.
            CallFailed: the answer is a failure.
        """
        self._ask_once(path)
        asked = f"{server}.{tool} with parameters sha256 {params.digest()}"
        intent = self._journal.intents.get(path)
        if intent is None:
            intent = CallIntendedEvent(
                step=path,
                call_id=secrets.token_hex(16),
                server=server,
                tool=tool,
                params_sha256=params.digest(),
            )
            await self._journal.add(intent)
        recorded = f"{intent.server}.{intent.tool} with parameters sha256 {intent.params_sha256}"
        if recorded != asked:
            raise Diverged(self._run, path, recorded, asked)

        async def on_progress(done: float, total: float | None, message: str) -> None:
            await self._observer.on_progress(path, done, total, message)

        try:
            answer = await self._calls.call(
                server,
                tool,
                params,
                result,
                call_id=intent.call_id,
                run=self._run,
                step=path,
                on_progress=on_progress,
            )
        except CallFailed as error:
            await self._answered(
                CallFinishedEvent(
                    step=path,
                    call_id=intent.call_id,
                    result_sha256=None,
                    failure=error.failure,
                    spent=error.failure.spent,
                )
            )
            raise
        spent = answer.spent if isinstance(answer, Paid) and answer.spent.requests else None
        await self._answered(
            CallFinishedEvent(step=path, call_id=intent.call_id, result_sha256=answer.digest(), spent=spent)
        )
        return answer

    async def _answered(self, finish: CallFinishedEvent) -> None:
        kept = self._journal.finishes.get(finish.step)
        if kept is None:
            await self._journal.add(finish)
        elif kept != finish:
            raise Diverged(
                self._run,
                finish.step,
                f"answer {kept.result_sha256 or kept.failure}",
                f"answer {finish.result_sha256 or finish.failure} in the ledger",
            )

    async def gate(self, path: str, subject: Subject) -> GateDecision:
        """Have `subject` decided by policy or by a person; what comes back is valid and names what was shown.

        Raises:
            Waiting: it needs a person and nobody is here to ask, or it expired meanwhile.
            CouldNot: what was stored as decisions never fitted.
        """
        self._ask_once(path)
        for attempt in range(1, MAX_GATE_ATTEMPTS + 1):
            name = path.replace("/", "-") + (f"_{attempt}" if attempt > 1 else "")
            request = await self._open(path, name, subject)
            settled = self._journal.gates_settled.get(name) or await self._settle(request)
            if isinstance(settled, GateDecidedEvent):
                return settled.decision
        raise CouldNot(
            f"Gate {path} was opened {MAX_GATE_ATTEMPTS} times and never got a decision that fits.",
            "`podium show` has the reasons; start a new run.",
        )

    async def _open(self, path: str, name: str, subject: Subject) -> GateRequest:
        opened = self._journal.gates_opened.get(name)
        if opened is None:
            opened = await self._journal.add(
                GateOpenedEvent(
                    step=path,
                    gate=name,
                    kind=subject.kind,
                    subject_sha256=subject.digest(),
                    expires_at=utc_now() + GATE_LIFETIME,
                )
            )
        assert isinstance(opened.what, GateOpenedEvent)
        if opened.what.subject_sha256 != subject.digest():
            raise Diverged(self._run, path, f"subject {opened.what.subject_sha256}", f"subject {subject.digest()}")
        return GateRequest(
            run=self._run,
            gate=name,
            subject_sha256=subject.digest(),
            subject=subject,
            opened_at=opened.at,
            expires_at=opened.what.expires_at,
        )

    async def _settle(self, request: GateRequest) -> GateDecidedEvent | GateClosedEvent:
        await gates.put(self._bus, request)
        kept = await gates.decided(self._bus, request.run, request.gate)
        if kept is None:
            by_rule = policies.by_policy(self._policy.of(request.kind), request, utc_now())
            if by_rule is not None and utc_now() <= request.expires_at:
                kept = await gates.store_decision(self._bus, request, by_rule)
            elif self._desk is not None:
                kept = await gates.first_decision(self._bus, request, self._desk)
        if kept is None and utc_now() <= request.expires_at:
            raise Waiting(request)
        if kept is None:
            settled = GateClosedEvent(gate=request.gate, why="expired", reason="nobody decided in time")
        else:
            settled = gates.settle(request, kept, await self._seals.sealed_by(kept))
        await self._journal.add(settled)
        return settled

    def metrics(self) -> Metrics:
        """The run in figures, up to now."""
        return measure(self._journal.events)

    def _ask_once(self, path: str) -> None:
        if path in self._asked:
            raise ValueError(f"two things in one workflow have the step path {path}")
        self._asked.add(path)

    def check_all_asked(self) -> None:
        """At the end: everything the journal holds was asked for again.

        Raises:
            Diverged: the code left something out that an earlier execution did.
        """
        recorded = {*self._journal.intents, *self._journal.values}
        left = sorted(recorded - self._asked)
        if left:
            raise Diverged(self._run, left[0], "a call or value", "nothing")


class Step:
    """A step under way: calls only the tools the workflow lets it use."""

    def __init__(self, engine: Engine, spec: WorkflowStep, path: str) -> None:
        self._engine = engine
        self._spec = spec
        self.path = path
        self.summary = ""

    async def call(self, tool: str, params: Model, result: type[M], *, part: str = "") -> M:
        """Call `server.tool`; `part` tells several calls of one tool apart.

        A failure that says a retry can help is tried again, each time as a call of its own.

        Raises:
            CouldNot: the workflow does not let this step use `tool`.
            CallFailed: the answer is a failure.
        """
        if tool not in self._spec.uses:
            raise CouldNot(f"Step {self._spec.id} may not call {tool}.", "Its workflow's `uses` lists what it may.")
        server, name = tool.split(".", 1)
        path = f"{self.path}/{part or name}"
        for attempt in range(1, MAX_CALL_ATTEMPTS):
            try:
                return await self._engine.call(path, server, name, params, result)
            except CallFailed as error:
                if not error.retry:
                    raise
            path = f"{self.path}/{part or name}/again-{attempt}"
        return await self._engine.call(path, server, name, params, result)

    async def record(self, part: str, produce: Callable[[], Awaitable[M]], model: type[M]) -> M:
        """See `Engine.record`."""
        return await self._engine.record(f"{self.path}/{part}", produce, model)
