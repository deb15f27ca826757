"""A gate as a form that a host puts to a person, and what the person filled in as a decision."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Mapping
from io import StringIO

from pydantic import ValidationError
from rich.console import Console

from bus.wire import JsonObject
from contracts.gate import VERDICTS, GateDecision, GateRequest, PatchSet
from contracts.gateway import DecideGateParams, GateAnswer
from contracts.workflow import Plan
from orchestrator.drafts import decided
from orchestrator.errors import InvalidDecision
from orchestrator.gateway.own_tools import Question, Round
from orchestrator.gateway.uris import shown_at
from orchestrator.grave import to_accept
from orchestrator.papers import heading, paper
from orchestrator.policies import answer
from orchestrator.text import safe

SHOWN_CHARS = 12_000
"""What of a gate is shown in a host; the rest is read where it says."""

_WIDTH = 110
_TICK = "accept_"


class Seals:
    """Binds an answer to the question it answers: the state that a host gives back is taken from nobody else.

    The key lives as long as the gateway. A question that an earlier one put is put again.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def state(self, asked: Round, request: GateRequest, number: int) -> str:
        """For the `number`-th question of a call, which is about what `request` shows."""
        about = [asked.tool, asked.arguments, request.run, request.gate, request.subject_sha256, number]
        text = json.dumps(about, sort_keys=True).encode()
        return f"{number}.{hmac.new(self._key, text, hashlib.sha256).hexdigest()}"

    def number(self, asked: Round, request: GateRequest) -> int:
        """Which question of its call was answered; 0 where it was none about what `request` shows."""
        claimed = asked.state.partition(".")[0]
        number = int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 4 else 0
        fits = hmac.compare_digest(self.state(asked, request, number).encode(), asked.state.encode())
        return number if fits else 0


def gate_question(request: GateRequest, state: str, problem: str = "") -> Question:
    """What is shown, and what may be answered; `problem` says why the answer before did not fit."""
    fields: JsonObject = {
        "verdict": {
            "type": "string",
            "title": "Decision",
            "enum": list(VERDICTS[request.kind]),
            "description": "reject: not this; the reason feeds the next round, or ends the run. abort: end the run.",
        },
        "reason": {"type": "string", "title": "Reason", "description": "Needed to reject. It goes on the ledger."},
    }
    match request.subject:
        case PatchSet(proposals=proposals):
            if len(proposals) > 1:
                told = "0 is the one shown in full; the runners-up have their numbers."
                fields["choice"] = {"type": "integer", "title": "Which", "minimum": 0, "maximum": len(proposals) - 1}
                fields["choice"]["description"] = told
            fields["diff"] = {"type": "string", "title": "Edited diff", "description": "With modify: this goes on."}
        case Plan():
            told = f"With modify: the whole plan as JSON, from {shown_at(request)}."
            fields["plan"] = {"type": "string", "title": "Edited plan", "description": told}
        case _:
            pass
    fields |= _ticks(request)
    return Question("\n\n".join([*_told(problem), text_of(request)]), fields, ("verdict",), state)


def confirmation(request: GateRequest, asked: DecideGateParams, state: str, host: str) -> Question:
    """Whether the person means what the host's model says they decided.

    What it is about comes first, as its model could write something that looks like it.
    """
    about = [f"Patch number {asked.choice}."] if asked.choice else []
    given = {"Reason": asked.reason, "Plan": asked.plan, "Diff, instead of the one above": asked.diff}
    quoted = [f"{what}, in its words:\n{_quoted(said)}" for what, said in given.items() if said]
    parts = [text_of(request), f"About this {host} says that you decided: {asked.verdict}.", *about, *quoted]
    fields: JsonObject = {"confirm": {"type": "boolean", "title": f"Yes: {asked.verdict}", "default": False}}
    if asked.verdict == "approve":
        fields |= _ticks(request)
    return Question("\n\n".join(parts), fields, ("confirm",), state)


def _ticks(request: GateRequest) -> JsonObject:
    """A box for each risk that whoever approves accepts by name; a person ticks it, never a model."""
    return {
        f"{_TICK}{risk.name}": {
            "type": "boolean",
            "title": f"I accept this risk: {risk.name}",
            "description": safe(risk.words),
            "default": False,
        }
        for risk in to_accept(request)
    }


def ticked(content: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the risks that a person ticked in a form."""
    return tuple(name.removeprefix(_TICK) for name, on in content.items() if name.startswith(_TICK) and on is True)


def _quoted(said: str) -> str:
    """What a model says, so that no line of it reads as Podium's own."""
    return "\n".join(f"> {line}" for line in safe(said).splitlines())


def text_of(request: GateRequest) -> str:
    """What a person has to see, as text; cut where it is very long, with where the rest is."""
    title, meaning = heading(request)
    out = StringIO()
    Console(file=out, width=_WIDTH, color_system=None, highlight=False, markup=False, emoji=False).print(
        paper(request), soft_wrap=True
    )
    shown = "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
    if len(shown) > SHOWN_CHARS:
        shown = (
            f"{shown[:SHOWN_CHARS]}\n[… {len(shown) - SHOWN_CHARS} characters more. Read all of it before you answer.]"
        )
    where = f"All of it: {shown_at(request)}, or `podium show {request.run}` in a terminal."
    return f"{title} of run {request.run}. {meaning}\n\n{shown}\n\n{where}"


def filled_in(request: GateRequest, content: Mapping[str, object]) -> GateAnswer:
    """The answer in a form's fields; an empty one counts as left out.

    Raises:
        InvalidDecision: they are none.
    """
    given = {name: value for name, value in content.items() if name in GateAnswer.model_fields and value is not None}
    try:
        return GateAnswer.model_validate(given)
    except ValidationError as wrong:
        first = wrong.errors()[0]
        raise InvalidDecision(request.gate, f"{first['loc'][0]}: {first['msg']}") from None


def decision_of(request: GateRequest, said: GateAnswer, by: str, accepts: Collection[str] = ()) -> GateDecision:
    """The decision that an answer is, about exactly what `request` shows; `accepts`: the risks a person ticked.

    Raises:
        InvalidDecision: it is none, because of what was edited.
    """
    reason = said.reason.strip()
    if said.verdict != "modify":
        if said.plan.strip() or said.diff.strip():
            raise InvalidDecision(request.gate, f"what was edited goes with modify, not with {said.verdict}")
        accepts = accepts if said.verdict == "approve" else ()
        return answer(request, said.verdict, by=by, via="host", reason=reason, choice=said.choice, accepts=accepts)
    diff = said.diff if said.diff.endswith("\n") else f"{said.diff}\n"  # forms take the last line's end away
    decision = decided(request, said.plan if request.kind == "plan" else diff, by, "host", reason)
    if isinstance(decision, str):
        raise InvalidDecision(request.gate, decision)
    return decision


def _told(problem: str) -> list[str]:
    return [f"That was not taken: {problem}."] if problem else []
