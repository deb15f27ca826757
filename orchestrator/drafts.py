"""What a person edits at a gate, as text: what they begin with, and what their text amounts to. Pure.

A text that cannot be taken is given back with the reason on top, so that nothing a person wrote is lost.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from pydantic import ValidationError

from contracts.gate import GateDecision, GateRequest, PatchSet, Via
from contracts.workflow import Plan
from orchestrator.policies import answer, problem
from orchestrator.text import safe

_MARK = "#"
"""Begins the lines on top; neither a plan nor a diff begins so."""


@dataclass(frozen=True)
class Draft:
    """A text on a person's desk, and why it was not taken ("": it was not tried yet)."""

    text: str
    ending: str
    """Of a file of it."""
    reason: str = ""

    @property
    def page(self) -> str:
        """The text with the reason on top."""
        if not self.reason:
            return self.text
        why = f"This was not taken: {safe(' '.join(self.reason.split()))}"
        how = "Mend it, or leave it as it is to get back to the gate. These lines are not read."
        head = [f"{_MARK} {line}" for said in (why, how) for line in textwrap.wrap(said, 100)]
        return "\n".join([*head, self.text])


def first_draft(request: GateRequest) -> Draft:
    """What a person begins with.

    Raises:
        ValueError: there is nothing to edit at this gate.
    """
    match request.subject:
        case Plan() as plan:
            return Draft(plan.model_dump_json(indent=2), ".json")
        case PatchSet(edit=edit) if edit is not None:
            return Draft(edit.diff, ".diff", edit.reason)
        case PatchSet(proposals=proposals):
            return Draft(proposals[0].patch.diff, ".diff")
        case _:
            raise ValueError(f"nothing can be edited at a gate of kind {request.kind}")


def body(page: str) -> str:
    """The text of a page, without what stood on top."""
    lines = page.splitlines(keepends=True)
    while lines and lines[0].startswith(_MARK):
        del lines[0]
    return "".join(lines)


def decided(request: GateRequest, text: str, by: str, via: Via, reason: str = "") -> GateDecision | str:
    """The decision to go on with `text`, or why it cannot be taken. In time or not is for the ledger to say."""
    try:
        text.encode()
        plan = Plan.model_validate_json(text) if request.kind == "plan" else None
    except UnicodeEncodeError:
        return "it is not UTF-8"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"it is no plan: {where}: {first['msg']}" if where else f"it is no plan: {first['msg']}"
    if plan == request.subject:
        return "it says the same as before"
    diff = None if plan else text
    decision = answer(request, "modify", by=by, via=via, reason=reason, plan=plan, diff=diff)
    return problem(request, decision, request.opened_at) or decision
