"""How a run has a question decided: at a gate on the ledger, by a rule or by a person."""

from __future__ import annotations

import itertools
from contextlib import suppress
from datetime import timedelta

from bus.bus import Bus, Expect, Stored
from bus.errors import Overtaken
from contracts.base import utc_now
from contracts.gate import GateDecision, GateRequest, Subject
from contracts.gate_policy import Policy
from contracts.ledger import RUNS_STREAM
from contracts.run import GateClosedEvent, GateDecidedEvent, GateOpenedEvent
from orchestrator import gates, policies
from orchestrator.errors import CouldNot, Diverged, Waiting
from orchestrator.journal import Notes
from orchestrator.seals import Seals

GATE_LIFETIME = timedelta(days=7)
"""How long a gate stays open; afterwards a resumed run asks again."""

MAX_GATE_ATTEMPTS = 5
"""How often one gate may get a decision that does not fit. That people took long is not counted."""


class Gatekeeper:
    """Opens a run's gates and finds out how they were decided; what is written down already counts."""

    def __init__(self, bus: Bus, journal: Notes, run: str, policy: Policy, desk: gates.Desk | None) -> None:
        self._bus = bus
        self._seals = Seals(bus)
        self._journal = journal
        self._run = run
        self._policy = policy
        self._desk = desk

    async def decide(self, path: str, subject: Subject) -> GateDecision:
        """Have `subject` decided by policy or by a person; what comes back is valid and names what was shown.

        Raises:
            Waiting: it needs a person and nobody is here to ask, or it expired meanwhile.
            CouldNot: what was stored as decisions never fitted.
        """
        misfits = 0
        for attempt in itertools.count(1):
            name = path.replace("/", "-") + (f"_{attempt}" if attempt > 1 else "")
            request = await self._open(path, name, subject)
            settled = self._journal.gates_settled.get(name)
            if settled is None:
                await self._journal.beyond(path, f"the decision at gate {name}")
                settled = await self._settle(request)
            if isinstance(settled, GateDecidedEvent):
                return settled.decision
            misfits += settled.why == "invalid"
            if misfits == MAX_GATE_ATTEMPTS:
                break
        raise CouldNot(
            f"Gate {path} got {MAX_GATE_ATTEMPTS} decisions, none of which fits.",
            "`podium show` has the reasons; start a new run.",
        )

    async def _open(self, path: str, name: str, subject: Subject) -> GateRequest:
        opened = self._journal.gates_opened.get(name)
        if opened is None:
            await self._journal.beyond(path, f"gate {name} with subject sha256 {subject.digest()}", subject.digest())
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
            digests = (opened.what.subject_sha256, subject.digest())
            raise Diverged(
                self._run, path, f"gate subject sha256 {digests[0]}", f"gate subject sha256 {digests[1]}", digests
            )
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
                kept = await self._by_rule(request, by_rule)
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

    async def _by_rule(self, request: GateRequest, decision: GateDecision) -> Stored:
        """Store what a rule decides, unless somebody decided first; only who holds the run may have its rule decide.

        Both are looked up after the newest message of the run was seen, and the broker is told to store nothing if
        another one has come since.
        """
        of_run = f"*.{self._run}.>"
        while True:
            newest = await self._bus.last(RUNS_STREAM, of_run)
            assert newest is not None, "the gate's question is one"
            await self._journal.held()
            if (kept := await gates.decided(self._bus, self._run, request.gate)) is not None:
                return kept
            with suppress(Overtaken):
                return await gates.store_decision(self._bus, request, decision, expect=Expect(newest.seq, of_run))
