"""Runs from a host: look at one, wait for it, and have a person answer its gates."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from bus.bus import Bus
from contracts.base import utc_now
from contracts.gate import GateDecision, GateRequest
from contracts.gateway import (
    DecideGateParams,
    DecideGateResult,
    GetRunParams,
    RunReport,
    WaitRunParams,
)
from contracts.terms import GATEWAY
from orchestrator import gates
from orchestrator.errors import InvalidDecision
from orchestrator.gateway.asking import SHOWN_CHARS, Seals, confirmation, decision_of, filled_in, gate_question, ticked
from orchestrator.gateway.bearer import reach_of, token_of
from orchestrator.gateway.conducting import Conducting
from orchestrator.gateway.envelope import for_the_crew
from orchestrator.gateway.following import Following, Tell
from orchestrator.gateway.own_tools import OwnTool, Question, Round, ToolFailed, own_tool
from orchestrator.gateway.reporting import elsewhere, report
from orchestrator.gateway.starting import Starting
from orchestrator.gateway.upstream import Upstream
from orchestrator.grave import to_accept
from orchestrator.policies import problem
from orchestrator.runs import Shown
from orchestrator.text import line

MAX_QUESTIONS = 8
"""What a person is asked in one call at most; hosts give up on calls that ask more often."""

_NAME_CHARS = 80

START = Starting.run_workflow.__name__
"""The tool that starts runs."""


@dataclass(frozen=True)
class Voice:
    """Who speaks through a host, and what that counts for."""

    host: str
    person: str
    decides: bool = True
    """Whether people answer gates through it."""
    own_word: bool = False
    """Whether what its model says counts without a person (`[hosts.NAME] decides`)."""


class Flows:
    """The tools. All that is read or decided is read and decided under the host's own identity."""

    def __init__(self, bus: Bus, upstream: Upstream, conducting: Conducting, voice: Voice) -> None:
        self._bus = bus
        self._upstream = upstream
        self._starting = Starting(bus, conducting)
        self._following = Following(bus, conducting)
        self._voice = voice
        self._seals = Seals()

    def tools(self) -> tuple[OwnTool, ...]:
        """In the order in which they are needed."""
        return (
            own_tool(self._starting.run_workflow, open_world=True),
            own_tool(self.get_run, read_only=True, idempotent=True),
            own_tool(self.wait_run, read_only=True, idempotent=True),
            own_tool(self.decide_gate, destructive=True),
        )

    async def get_run(self, asked: GetRunParams, now: Round) -> RunReport:
        """See where a run stands.

        Its steps, the question it waits on, its result, as of now.
        """
        return self._report(await self._following.look(asked.run), now)

    async def wait_run(self, asked: WaitRunParams, now: Round) -> RunReport | Question:
        """Wait for a run.

        Wait until it has ended, or until it needs a person, who is then asked where this host can ask. Call it again
        until the run has ended.
        """
        found = await self._following.look(asked.run)
        number, wrong = 0, ""
        if now.answer is not None and found.gate is not None and self._asks(now):
            number = self._seals.number(now, found.gate)
            if number and now.answer.action != "accept":
                left = f"The person has left the question open. {elsewhere(asked.run)}"
                return self._report(found, now, left)
            if not number:
                wrong = "what waits has changed since you were asked"
            elif wrong := await self._answered(found.gate, now):
                found = await self._following.look(asked.run)
        if not wrong or found.gate is None:
            may, tell = self._may_act(now), _telling(now)
            found = await self._following.until_needed(asked.run, asked.timeout_s, tell, resumes=may)
        if found.gate is None or not self._asks(now) or number >= MAX_QUESTIONS:
            return self._report(found, now)
        return gate_question(found.gate, self._seals.state(now, found.gate, number + 1), wrong)

    async def _answered(self, request: GateRequest, now: Round) -> str:
        """Take the answer for a decision; why it is none, if it is none."""
        said = (now.answer and now.answer.content) or {}
        try:
            decision = decision_of(request, filled_in(request, said), self._person(now), ticked(said))
            await gates.decide(self._bus, request, decision)
        except InvalidDecision as wrong:
            return wrong.reason
        return ""

    async def decide_gate(self, asked: DecideGateParams, now: Round) -> DecideGateResult | Question:
        """Pass on a person's decision.

        Answer the gate a run waits at for a person who has seen what waits. They are asked to confirm it; what they
        did not decide themselves is not decided.
        """
        request = (await self._following.look(asked.run)).gate
        if request is None:
            raise ToolFailed("conflict", f"Run {asked.run} waits at no gate now.", "get_run says where it stands.")
        decision = self._decision(request, asked, now)
        if not self._voice.own_word:
            if not self._asks(now):
                await self._upstream.refuse(GATEWAY, for_the_crew(now.context))
                why = "A person has to decide this, and cannot be asked in this host."
                raise ToolFailed("denied", why, elsewhere(asked.run))
            if len(asked.reason + asked.plan + asked.diff) > SHOWN_CHARS:
                why = f"That is more than the {SHOWN_CHARS} characters which a form shows for confirmation."
                raise ToolFailed("invalid", why, elsewhere(asked.run))
            if now.answer is None or not self._seals.number(now, request):
                return confirmation(request, asked, self._seals.state(now, request, 1), self._voice.host)
            if now.answer.action != "accept" or (now.answer.content or {}).get("confirm") is not True:
                return self._told(request, False, "The person did not confirm it; the gate waits.")
            decision = decision_of(request, asked, decision.by, ticked(now.answer.content or {}))
            if why := problem(request, decision, utc_now()):
                return self._told(request, False, f"The gate waits: {why}.")
        await gates.decide(self._bus, request, decision)
        await self._following.keep_going(asked.run, resumes=self._may_act(now))
        return self._told(request, True, f"{decision.verdict}, by {decision.by}.")

    def _decision(self, request: GateRequest, asked: DecideGateParams, now: Round) -> GateDecision:
        """What is to be decided, by whoever's word counts; nobody is asked for what could not count."""
        if asked.subject_sha256 != request.subject_sha256:
            why = f"What waits now has the digest {request.subject_sha256}, not {asked.subject_sha256}."
            raise ToolFailed("conflict", why, "Show the person what get_run says now.")
        try:
            by = f"{self._voice.host} by its own word" if self._voice.own_word else self._person(now)
            to_be_ticked = () if self._voice.own_word else [risk.name for risk in to_accept(request)]
            decision = decision_of(request, asked, by, to_be_ticked)
        except InvalidDecision as wrong:
            raise ToolFailed("invalid", wrong.reason) from None
        if why := problem(request, decision, utc_now()):
            raise ToolFailed("invalid", why)
        return decision

    def _person(self, now: Round) -> str:
        """Who answers: over HTTP whom the token stands for, if it says so."""
        token = token_of(now.context.request)
        person = (token.subject if token else "") or self._voice.person
        return f"{line(person, _NAME_CHARS)} via {self._voice.host}"

    def _asks(self, now: Round) -> bool:
        """Whether a person can be asked, and whoever made this request may pass on what they decide."""
        return self._may_act(now) and now.can_ask

    def _may_act(self, now: Round) -> bool:
        """Whether whoever made this request may do more than read runs."""
        return self._voice.decides and reach_of(now.context.request).covers(GATEWAY, read_only=False)

    def _report(self, found: Shown, now: Round, note: str = "") -> RunReport:
        conducted = self._following.conducts(found.state.run)
        return report(found.state, found.gate, asks=self._asks(now), conducted=conducted, note=note)

    def _told(self, request: GateRequest, decided: bool, note: str) -> DecideGateResult:
        next_ = "Call wait_run." if decided else elsewhere(request.run)
        return DecideGateResult(run=request.run, gate=request.gate, decided=decided, note=note, next=next_)


def _telling(now: Round) -> Tell:
    async def tell(text: str) -> None:
        # Seconds, as a call that asks a person in between goes on telling under the same token.
        await now.context.session.report_progress(anyio.current_time(), None, text)

    return tell
