"""A run as a host is told of it. Pure."""

from __future__ import annotations

from contracts.gate import VERDICTS, GateRequest
from contracts.gateway import OpenGate, RunReport, RunStep
from contracts.state import RunState
from orchestrator.gateway.asking import text_of
from orchestrator.gateway.uris import PARTS, shown_at, uri
from orchestrator.grave import to_accept


def report(state: RunState, request: GateRequest | None, *, asks: bool, conducted: bool, note: str = "") -> RunReport:
    """Where the run stands, and what to do now.

    `asks`: whether a person can be asked in this host; `conducted`: whether a process is known to conduct the run.
    """
    return RunReport(
        run=state.run,
        workflow=state.task.workflow,
        repo=state.task.repo,
        request=state.task.request,
        status=state.status,
        steps=tuple(
            RunStep(title=step.title, agent=step.agent, status=step.status, summary=step.summary)
            for step in state.steps
        ),
        gate=request and open_gate(request),
        reason=state.reason,
        way_out=state.way_out,
        by=state.by,
        branch=state.branch,
        head=state.head,
        resources=tuple(uri(state.run, part) for part in PARTS),
        note=note,
        next=_next(state, request, asks, conducted),
    )


def open_gate(request: GateRequest) -> OpenGate:
    """The question, as text."""
    return OpenGate(
        gate=request.gate,
        kind=request.kind,
        subject_sha256=request.subject_sha256,
        verdicts=VERDICTS[request.kind],
        shown=text_of(request),
        to_accept=tuple(risk.name for risk in to_accept(request)),
        resource=shown_at(request),
        expires_at=request.expires_at,
    )


def elsewhere(run: str) -> str:
    """How a gate is answered without this host."""
    return (
        f"In a terminal, `podium show {run}` shows what waits; `podium approve {run}`, "
        f'`podium reject {run} --reason "…"` or `podium abort {run}` answers it.'
    )


def _next(state: RunState, request: GateRequest | None, asks: bool, conducted: bool) -> str:
    match state.status:
        case "handed_over":
            return (
                f"Tell the person that the branch {state.branch} is in {state.task.repo}, for them to review and "
                f"merge; {uri(state.run, 'diff')} is what it changes. Passing tests is not being right."
            )
        case "failed" | "aborted":
            return "Tell the person why it ended, and the way out if there is one."
        case _ if request is None and conducted:
            return "It is at work. Call wait_run."
        case _ if request is None:
            return (
                "Call wait_run. If nothing moves, whatever conducted it may have been killed in the middle of a step: "
                f"a person has it go on in a terminal with `podium resume {state.run}`, and it loses nothing."
            )
        case _ if asks:
            return f"A person has to answer. wait_run asks them. Or: {elsewhere(state.run)}"
        case _:
            return (
                "A person has to answer, and cannot be asked in this host: show them what waits, and tell them how. "
                f"{elsewhere(state.run)} Then call wait_run, which has the run go on."
            )
