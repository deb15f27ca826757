"""Waiting for a run: until it has ended or a person is needed, and having it go on behind a gate that is settled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import anyio

from bus.background import background
from bus.bus import Bus, Message
from bus.errors import InvalidMessage
from bus.grants import RUNS_CALLER
from bus.wire import as_object, parse
from contracts.base import utc_now
from contracts.gate import GateRequest
from contracts.state import GateState, RunState
from orchestrator import gates
from orchestrator.gateway.conducting import Conducting
from orchestrator.gateway.own_tools import ToolFailed
from orchestrator.runs import Shown, looks, shown
from orchestrator.text import line

RULE_S = 0.5
"""A gate that a rule decides is decided by then. One that is still open is for a person."""

TAKE_UP_S = 1.0
"""An orchestrator that waits at a gate has seen its decision by then. Where none has, a new one is started."""

Tell = Callable[[str], Awaitable[None]]
"""Tells a host, in words, how far a run is."""


class Following:
    """Follows runs, as far as a host may read them."""

    def __init__(self, bus: Bus, conducting: Conducting) -> None:
        self._bus = bus
        self._conducting = conducting

    async def look(self, run: str) -> Shown:
        """The run as it stands; raises as `orchestrator.runs.events_of`."""
        return await shown(self._bus, run)

    def conducts(self, run: str) -> bool:
        """Whether a process that was started here conducts the run; others are not known."""
        conductor = self._conducting.of(run)
        return conductor is not None and not conductor.has_ended()

    async def until_needed(self, run: str, timeout_s: float, tell: Tell, *, resumes: bool) -> Shown:
        """The run once it has ended, or waits for a person, or time is up.

        `resumes`: whether whoever waits may have it go on behind a gate that is decided.

        Raises:
            ToolFailed: the process that conducted it, and was started here, ended on the way.
            UnknownRun, Torn: as `orchestrator.runs.events_of`.
        """
        found = await self.look(run)
        steps = _Steps(tell)
        with anyio.move_on_after(timeout_s):
            async with (
                self._bus.listen(f"progress.{RUNS_CALLER}.*.*", steps.heard),
                background(steps.tell),
                aclosing(looks(self._bus, run)) as states,
            ):
                async for state in states:
                    found = Shown(state=state, gate=await self._for_a_person(state))
                    if state.ended or found.gate:
                        return found
                    steps.at(state)
                    await self.keep_going(run, resumes=resumes)
        return found

    async def _for_a_person(self, state: RunState) -> GateRequest | None:
        """The question a person has to answer, if there is one."""
        request = await gates.pending(self._bus, state)
        if request is None or state.open_gate is None:
            return None
        await anyio.sleep(RULE_S)
        return None if await self._is_settled(state.run, state.open_gate) else request

    async def keep_going(self, run: str, *, resumes: bool) -> None:
        """See that a run which needs nobody is conducted, as far as that is known.

        Raises:
            ToolFailed: see `until_needed`.
        """
        if self.conducts(run):
            return
        conductor = self._conducting.of(run)
        now = await self.look(run)  # what happened until its end is known only now
        gate = now.state.open_gate
        settled = gate is not None and await self._is_settled(run, gate)
        if gate is not None and settled and (conductor is None or conductor.took_up != gate.gate):
            if resumes:
                await self._take_up(run, gate.gate)
        elif now.state.ended or (now.gate is not None and not settled):
            return
        elif conductor is not None and (why := conductor.failure()) is not None:
            self._conducting.forget(run)
            way_out = f"wait_run follows it if somebody else conducts it. If nobody does: podium resume {run}"
            raise ToolFailed(why.kind, why.message, f"{why.way_out} {way_out}".strip())

    async def _is_settled(self, run: str, gate: GateState) -> bool:
        """Whether an orchestrator that looks at the gate would not wait there."""
        return utc_now() > gate.expires_at or await gates.decided(self._bus, run, gate.gate) is not None

    async def _take_up(self, run: str, gate: str) -> None:
        """Have the run go on behind a settled gate, unless somebody sees to that."""
        await anyio.sleep(TAKE_UP_S)
        still = (await self.look(run)).state.open_gate
        if still is not None and still.gate == gate:
            self._conducting.resume(run, gate)


class _Steps:
    """What to tell of a run: the step at work, and what its call says meanwhile; only the newest of it."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._news = anyio.Event()
        self._step = ""
        self._said = ""
        self._calls: frozenset[str] = frozenset()

    def at(self, state: RunState) -> None:
        """The run stands here."""
        self._calls = frozenset(call.call_id for call in state.calls if call.ended_at is None)
        step = "; ".join(step.title for step in state.steps if step.status == "running")
        if step and step != self._step:
            self._step = step
            self._say(step)

    async def heard(self, message: Message) -> None:
        """A call of some run says how far it is."""
        if message.subject.rpartition(".")[2] not in self._calls:
            return
        try:
            params = as_object(parse(message.subject, message.body).get("params"))
        except InvalidMessage:
            return
        if said := str(params.get("message") or ""):
            self._say(f"{self._step}: {said}")

    async def tell(self) -> None:
        """Tell what is new, for as long as that is wanted."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            await self._tell(line(self._said))

    def _say(self, text: str) -> None:
        self._said = text
        self._news.set()
