"""One way to start and to resume a run."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bus.bus import Bus
from bus.caller import Calls
from bus.granted import all_grants
from bus.mandates import put_mandate, withdraw_mandate
from contracts.gate import GateRequest
from contracts.gate_policy import Policy
from contracts.run import RunAbortedEvent, RunResumedEvent, RunStartedEvent
from contracts.state import RunState, RunStatus
from contracts.task import Task
from contracts.workflow import Workflow
from orchestrator import finish, planner, unfinished
from orchestrator.engine import Engine, Observer
from orchestrator.errors import CrewIncomplete, TakenOver, UnknownRun, Waiting
from orchestrator.gates import Desk, pending, store_decision
from orchestrator.job import Job
from orchestrator.journal import Journal
from orchestrator.loop import conduct
from orchestrator.mandate import mandate_for
from orchestrator.policies import answer
from orchestrator.ports import Checkout, Paths
from orchestrator.state import fold

_EXIT_CODES: dict[RunStatus, int] = {"handed_over": 0, "failed": 1, "running": 3, "waiting": 3, "aborted": 4}
OVER_BUDGET = 5

_TAKE_OVER_ATTEMPTS = 20
"""How often a take-over is tried while another orchestrator keeps writing."""


def exit_code(state: RunState) -> int:
    """0 handed over, 1 could not, 3 waiting or interrupted, 4 aborted or rejected, 5 over its budget."""
    return OVER_BUDGET if state.over_budget else _EXIT_CODES[state.status]


@dataclass(frozen=True)
class Outcome:
    """How far a run got."""

    state: RunState
    waiting: GateRequest | None = None
    """The question it waits on."""

    @property
    def exit_code(self) -> int:
        """See `exit_code`."""
        return exit_code(self.state)


@dataclass(frozen=True)
class Conductor:
    """What every run of one orchestrator process shares."""

    bus: Bus
    calls: Calls
    offered: frozenset[str]
    """`server.tool` names in the registry (`planner.tools_of`)."""
    checkout: Checkout
    paths: Paths
    observer: Observer
    desk: Desk | None = None
    """Somebody to ask at gates; without one, a run stops where a person is needed."""
    on_ended: Callable[[str], Awaitable[None]] | None = None
    """Told of each run that comes to its end here, when that is stored and all is cleaned up."""

    async def start(self, task: Task, workflow: Workflow, policy: Policy) -> Outcome:
        """Begin a run and bring it as far as it goes.

        Raises:
            CrewIncomplete: the workflow needs tools that nobody offers; nothing was stored.
            TakenOver: a run of this name exists, or another orchestrator resumed it meanwhile.
            BusUnavailable: the broker is gone; the run can be resumed.
            StoreRefused: the broker does not let a mandate be put down; the run can be resumed once it does.
        """
        self._check_crew(workflow)
        journal = Journal(self.bus, task.run, self.observer.on_event)
        with unfinished.at_work(self.paths.unfinished, task.run):
            await journal.add(RunStartedEvent(task=task, workflow=workflow, policy=policy))
            return await self._go(journal)

    async def resume(self, run: str, policy: Policy | None = None) -> Outcome:
        """Go on with a run wherever it stopped; `policy` replaces the one it was started with.

        Raises:
            UnknownRun, Torn, Diverged: it cannot be gone on with.
            CrewIncomplete, TakenOver, BusUnavailable, StoreRefused: as for `start`.
        """
        with unfinished.at_work(self.paths.unfinished, run):
            journal = await self._take_over(run)
            if journal.ended:
                return await self._outcome(journal)
            self._check_crew(_started(journal).workflow)
            return await self._go(journal, policy)

    async def abort(self, run: str, *, by: str, reason: str = "") -> Outcome:
        """End a run whatever it is doing, and clean up after it; an orchestrator at work on it stops.

        Its branch is taken back if it was delivered already. An orchestrator that delivers it while it is fenced out
        finds the run aborted when it would write that down, or else has delivered it before this looks again.

        Raises:
            UnknownRun, Torn: there is nothing to abort.
            TakenOver: another orchestrator keeps on writing.
        """
        journal = await self._take_over(run)
        if not journal.ended:
            engine, job = self._prepare(journal)
            request = await pending(self.bus, fold(journal.events))
            await finish.close(engine, job)
            left = await finish.withdraw(journal, job)
            await journal.add(RunAbortedEvent(verdict="abort", reason=f"{reason} {left}".strip(), by=by))
            await withdraw_mandate(self.bus, run)
            await finish.withdraw(journal, job)
            if request is not None:
                # Wakes an orchestrator that waits at this gate; it finds the run ended.
                await store_decision(self.bus, request, answer(request, "abort", by=by, via="command", reason=reason))
            await self._tell_ended(journal)
        return await self._outcome(journal)

    async def _take_over(self, run: str) -> Journal:
        for attempt in range(_TAKE_OVER_ATTEMPTS):
            journal = await Journal.read(self.bus, run, self.observer.on_event)
            if not journal.events:
                raise UnknownRun(run)
            try:
                if not journal.ended:
                    await journal.add(RunResumedEvent(by=_who()))
                return journal
            except TakenOver:
                if attempt == _TAKE_OVER_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def _go(self, journal: Journal, policy: Policy | None = None) -> Outcome:
        engine, job = self._prepare(journal, policy)
        mandate = mandate_for(job.workflow, job.task.engine, await all_grants(self.bus))
        await put_mandate(self.bus, job.task.run, mandate)
        try:
            ending = await conduct(engine, job)
            engine.check_all_asked()
            await journal.add(ending)
            await withdraw_mandate(self.bus, job.task.run)
            await self._tell_ended(journal)
        except Waiting as waiting:
            return await self._outcome(journal, waiting.request)
        except TakenOver:
            latest = await Journal.read(self.bus, job.task.run, self.observer.on_event)
            if not latest.ended:
                raise
            if isinstance(latest.ending, RunAbortedEvent):
                await finish.withdraw(latest, job)
            return await self._outcome(latest)
        return await self._outcome(journal)

    async def _tell_ended(self, journal: Journal) -> None:
        if self.on_ended is not None:
            await self.on_ended(_started(journal).task.run)

    async def _outcome(self, journal: Journal, waiting: GateRequest | None = None) -> Outcome:
        state = fold(journal.events)
        if state.ended:
            await withdraw_mandate(self.bus, state.run)  # once more: somebody who has died may have left it
            unfinished.forget(self.paths.unfinished, state.run)
        return Outcome(state, waiting)

    def _prepare(self, journal: Journal, policy: Policy | None = None) -> tuple[Engine, Job]:
        started = _started(journal)
        engine = Engine(
            bus=self.bus,
            calls=self.calls,
            journal=journal,
            workflow=started.workflow,
            run=started.task.run,
            policy=policy or started.policy,
            observer=self.observer,
            desk=self.desk,
        )
        return engine, Job(started.task, started.workflow, self.offered, self.checkout, self.paths)

    def _check_crew(self, workflow: Workflow) -> None:
        missing = planner.missing(workflow, self.offered)
        if missing:
            raise CrewIncomplete(workflow.name, missing)


def _started(journal: Journal) -> RunStartedEvent:
    first = journal.events[0].what
    assert isinstance(first, RunStartedEvent), "a run begins with its started event"
    return first


def _who() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
