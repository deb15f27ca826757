"""Deterministic execution over the journal.

A workflow is an ordinary async function. Whatever it takes from outside goes through here: tool calls, values
from disk or clock, and people's decisions. Each is written down before it counts, under the step path it
belongs to; after a crash the function simply runs again and is given the same things.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from pydantic import ValidationError

from bus.bus import Bus
from bus.caller import Calls
from bus.crash import crash_point
from bus.errors import CallFailed
from contracts.base import Model
from contracts.gate import GateDecision, Subject
from contracts.gate_policy import Policy
from contracts.metrics import Metrics
from contracts.run import (
    CallFinishedEvent,
    CallIntendedEvent,
    Event,
    StepFinishedEvent,
    StepStartedEvent,
    ValueRecordedEvent,
)
from contracts.spending import Paid
from contracts.workflow import Workflow, WorkflowStep
from orchestrator.borrowing import FORK, Borrowing, Loan, taken_over
from orchestrator.ceilings import check_size, check_time
from orchestrator.errors import CouldNot, Diverged, unsayable
from orchestrator.gatekeeper import Gatekeeper
from orchestrator.gates import Desk
from orchestrator.journal import Notes
from orchestrator.metrics import measure

M = TypeVar("M", bound=Model)

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
        journal: Notes,
        workflow: Workflow,
        run: str,
        policy: Policy,
        observer: Observer,
        desk: Desk | None,
    ) -> None:
        self._gatekeeper = Gatekeeper(bus, journal, run, policy, desk)
        self._borrowing = Borrowing(bus, journal)
        self._calls = calls
        self._journal = journal
        self._workflow = workflow
        self._run = run
        self._observer = observer
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
        except ValidationError as error:
            if not error.title.endswith("Params"):
                raise  # an answer or an event of another version: not for this run to end by
            stop = unsayable(error)
            await self._finish(where, ok=False, summary=str(stop))
            raise stop from error
        await self._finish(where, ok=step.ok, summary=step.summary)

    async def _finish(self, where: str, *, ok: bool, summary: str) -> None:
        if where not in self._journal.steps_finished:
            await self._journal.add(StepFinishedEvent(step=where, ok=ok, summary=summary))

    async def record(self, path: str, produce: Callable[[], Awaitable[M]], model: type[M]) -> M:
        """The value `produce` gave the first time; it may run again if a crash came before it was written down."""
        self._ask_once(path)
        kept = self._journal.values.get(path)
        if kept is None:
            await self._journal.beyond(path, f"a {model.__name__} from outside")
            crash_point("value.before")
            kept = ValueRecordedEvent(step=path, value=(await produce()).model_dump(mode="json"))
            crash_point("value.after")
            await self._journal.add(kept)
        return model.model_validate(kept.value)

    async def call(self, path: str, server: str, tool: str, params: Model, result: type[M]) -> M:
        """Have `server` run `tool`, once; the same call id after a crash finds the answer that is stored.

        Raises:
            OverBudget, CouldNot: no time is left for it, or it is too large; nothing was sent.
            Diverged: the journal holds another call under `path`, or the stored answer is not the recorded one.
            CallFailed: the answer is a failure.
        """
        self._ask_once(path)
        self._borrowing.seen(path, server, tool, params)
        if loan := await self._taken_over(path, server, tool, params):
            return result.model_validate(loan.answer)
        digest = params.digest()
        asked = f"{server}.{tool} with parameters sha256 {digest}"
        intent = self._journal.intents.get(path)
        if intent is None:
            await self._journal.beyond(path, asked, digest)
            check_time(self._workflow.budgets, self.metrics(), server)
            check_size(f"{server}.{tool}", params)
            intent = CallIntendedEvent(
                step=path,
                call_id=secrets.token_hex(16),
                server=server,
                tool=tool,
                params_sha256=digest,
            )
            await self._journal.add(intent)
        recorded = f"{intent.server}.{intent.tool} with parameters sha256 {intent.params_sha256}"
        if recorded != asked:
            raise Diverged(self._run, path, recorded, asked, (intent.params_sha256, digest))

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
                (kept.result_sha256 or kept.digest(), finish.result_sha256 or finish.digest()),
            )

    async def _taken_over(self, path: str, server: str, tool: str, params: Model) -> Loan | None:
        """The answer to a call that need not be made, because the run this one was forked from has made it."""
        where = taken_over(path)
        kept = self._journal.values.get(where)
        if kept is None and path not in self._journal.intents:
            found = await self._borrowing.find(path, server, tool, params)
            if found is not None:
                kept = ValueRecordedEvent(step=where, value=found.model_dump(mode="json"))
                await self._journal.add(kept)
        if kept is None:
            return None
        self._ask_once(where)
        loan = Loan.model_validate(kept.value)
        if (loan.server, loan.tool, loan.params_sha256) != (server, tool, params.digest()):
            recorded = f"{loan.server}.{loan.tool} with parameters sha256 {loan.params_sha256}"
            asked = f"{server}.{tool} with parameters sha256 {params.digest()}"
            raise Diverged(self._run, path, recorded, asked, (loan.params_sha256, params.digest()))
        return loan

    async def gate(self, path: str, subject: Subject) -> GateDecision:
        """Have `subject` decided by policy or by a person; see `Gatekeeper.decide`."""
        self._ask_once(path)
        return await self._gatekeeper.decide(path, subject)

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
        recorded = {*self._journal.intents, *self._journal.values, *self._journal.gate_paths} - {FORK}
        left = sorted(recorded - self._asked)
        if left:
            raise Diverged(self._run, left[0], "a call, value or gate", "nothing")


class Step:
    """A step under way: calls only the tools the workflow lets it use."""

    def __init__(self, engine: Engine, spec: WorkflowStep, path: str) -> None:
        self._engine = engine
        self._spec = spec
        self.path = path
        self.summary = ""
        self.ok = True
        """False: it ended without what it was to bring."""

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
