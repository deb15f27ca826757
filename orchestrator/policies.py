"""What is allowed at a gate, and what a rule decides by itself. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from contracts.base import utc_now
from contracts.bundle import Bundle
from contracts.diff import DiffError, files, stat
from contracts.gate import VERDICTS, Escalation, GateDecision, GateRequest, PatchSet, Verdict, Via
from contracts.gate_policy import GatePolicy
from contracts.workflow import Plan
from orchestrator.grave import to_accept
from orchestrator.planner import edit_problem

MAX_DIFF_BYTES = 1 << 20
"""Size of an edited diff."""


def answer(
    request: GateRequest,
    verdict: Verdict,
    *,
    by: str,
    via: Via,
    reason: str = "",
    choice: int = 0,
    plan: Plan | None = None,
    diff: str | None = None,
    accepts: Collection[str] = (),
    at: datetime | None = None,
) -> GateDecision:
    """A decision about exactly what `request` shows."""
    return GateDecision(
        run=request.run,
        gate=request.gate,
        subject_sha256=request.subject_sha256,
        verdict=verdict,
        choice=choice,
        plan=plan,
        diff=diff,
        accepts=tuple(accepts),
        reason=reason,
        by=by,
        via=via,
        at=at or utc_now(),
    )


def problem(request: GateRequest, decision: GateDecision, stored_at: datetime) -> str:
    """Why `decision` does not count at `request`; "" when it does. `stored_at` is the broker's clock."""
    if (decision.run, decision.gate) != (request.run, request.gate):
        return f"the decision is about gate {decision.gate} of {decision.run}"
    if decision.subject_sha256 != request.subject_sha256:
        return "the decision is about something else than what is shown; look again and decide anew"
    if stored_at > request.expires_at:
        expired = f"the gate expired at {request.expires_at:%Y-%m-%d %H:%M} UTC"
        return f"{expired}; `podium resume {request.run}` asks anew"
    if decision.verdict not in VERDICTS[request.kind]:
        return f"{decision.verdict} is not possible here; possible: {', '.join(VERDICTS[request.kind])}"
    if decision.verdict == "reject" and not decision.reason.strip():
        return "a rejection needs a reason"
    return _content_problem(request, decision) or _risk_problem(request, decision)


def _risk_problem(request: GateRequest, decision: GateDecision) -> str:
    """An approval is one of every grave risk, by name, and of no other: nothing is waved through."""
    there = {risk.name for risk in to_accept(request)} if decision.verdict == "approve" else set[str]()
    if strange := sorted({*decision.accepts} - there):
        return f"there is no risk {', '.join(strange)} to accept here"
    if open_ := sorted(there - {*decision.accepts}):
        return f"a person has to accept by name what no rule may: {', '.join(open_)}"
    return "a rule cannot accept risks" if there and decision.via == "policy" else ""


def _content_problem(request: GateRequest, decision: GateDecision) -> str:
    edits_plan = decision.verdict == "modify" and request.kind == "plan"
    edits_diff = decision.verdict == "modify" and request.kind == "patches"
    if edits_plan != (decision.plan is not None) or edits_diff != (decision.diff is not None):
        return "an edited plan goes with modify at a plan gate, an edited diff with modify at a patches gate"
    if decision.plan is not None and isinstance(request.subject, Plan):
        return edit_problem(request.subject, decision.plan)
    if decision.diff is not None:
        return _diff_problem(decision.diff)
    shown = len(request.subject.proposals) if isinstance(request.subject, PatchSet) else 1
    if decision.choice >= shown:
        return f"there is no choice {decision.choice}; {shown} shown, counted from 0"
    return ""


def _diff_problem(diff: str) -> str:
    if len(diff.encode(errors="surrogateescape")) > MAX_DIFF_BYTES:
        return f"the edited diff is larger than {MAX_DIFF_BYTES} bytes"
    try:
        return "" if files(diff) else "the edited diff changes nothing"
    except DiffError as error:
        return f"the edited diff cannot be read: {error}"


def by_policy(policy: GatePolicy, request: GateRequest, at: datetime) -> GateDecision | None:
    """The decision a rule makes, if it makes one; never for an escalation, nor where a risk has to be accepted."""
    if policy.mode == "human" or isinstance(request.subject, Escalation) or to_accept(request):
        return None
    objections = _objections(policy, request) if policy.mode == "auto-if" else ()
    if objections:
        return None
    return answer(request, "approve", by="policy", via="policy", reason=f"policy: {policy.mode}", at=at)


def _objections(policy: GatePolicy, request: GateRequest) -> tuple[str, ...]:
    """The conditions of `auto-if` that do not hold; conditions about what this gate does not show hold."""
    match request.subject:
        case PatchSet() as shown:
            best = shown.proposals[0]
            red, changed, rivals, new = (
                best.evidence.suite_failed,
                sum(stat(best.patch.diff)),
                len(shown.proposals) - 1,
                0,
            )
        case Bundle() as shown:
            red = shown.after.counts.failed + shown.after.counts.error + (shown.after.outcome != "passed")
            changed, rivals, new = (
                shown.added_lines + shown.removed_lines,
                len(shown.rivals),
                len(shown.findings_new),
            )
        case _:
            return ()
    return tuple(
        text
        for text, holds in (
            (f"{red} tests are red", not (policy.tests_green and red)),
            (f"{changed} lines change", changed <= policy.max_changed_lines),
            (f"{rivals} rivals", rivals <= policy.max_rivals),
            (f"{new} new findings", not (policy.no_new_findings and new)),
        )
        if not holds
    )
