"""Starting a run for a host. Its beginning is awaited, so that a host hears why one cannot be."""

from __future__ import annotations

import secrets

import anyio

from bus.background import background
from bus.bus import Bus, Message
from contracts.gateway import RunWorkflowParams, RunWorkflowResult
from contracts.ledger import RUNS_STREAM
from orchestrator.errors import UnknownRun
from orchestrator.gateway.conducting import Conducting, Conductor
from orchestrator.gateway.own_tools import Round, ToolFailed
from orchestrator.gateway.uris import uri

BEGIN_S = 30.0
"""How long a run may take until it has begun."""


class Starting:
    """Starts runs."""

    def __init__(self, bus: Bus, conducting: Conducting) -> None:
        self._bus = bus
        self._conducting = conducting

    async def run_workflow(self, asked: RunWorkflowParams, now: Round) -> RunWorkflowResult:
        """Give the crew a task.

        Start a run of a workflow on a git repository. It returns as soon as the run has begun; follow it with wait_run.
        Its gates are answered by a person, never by you. The checkout is never touched: the result is a branch.
        """
        run = f"r-{secrets.token_hex(4)}"
        news = anyio.Event()

        async def heard(_: Message) -> None:
            news.set()

        async with self._bus.listen(f"run.{run}.started", heard):
            conductor = self._conducting.start(run, asked)

            async def end() -> None:
                await conductor.wait()
                news.set()

            async with background(end):
                with anyio.move_on_after(BEGIN_S):
                    await news.wait()
        await self._check_begun(run, conductor)
        next_ = f"Call wait_run with run={run}, and again until it has ended. It goes on without you; gates wait."
        return RunWorkflowResult(run=run, resource=uri(run), next=next_)

    async def _check_begun(self, run: str, conductor: Conductor) -> None:
        if await self._bus.last(RUNS_STREAM, f"run.{run}.started") is not None:
            return
        if conductor.has_ended():
            self._conducting.forget(run)
            why = conductor.failure()
            raise ToolFailed(why.kind, why.message, why.way_out) if why else UnknownRun(run)
        late = f"Run {run} has not begun after {BEGIN_S:.0f} s."
        raise ToolFailed("timeout", late, "It may yet begin: get_run says so.")
