"""`podium approve`, `reject`, `abort`: answer from anywhere what a run waits for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from pydantic import ValidationError

from bus.connect import connect
from contracts.gate import GateDecision, GateRequest
from contracts.state import RunState
from contracts.workflow import Plan
from orchestrator import gates
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import (
    AUDITOR,
    PERSON,
    document,
    json_option,
    out,
    reason_option,
    run_argument,
    start,
    who,
)
from orchestrator.cli.trouble import Trouble, trouble
from orchestrator.errors import InvalidDecision
from orchestrator.house import house, state_dir
from orchestrator.papers import paper
from orchestrator.policies import answer
from orchestrator.runs import state_of

_EDITS = {"plan": "--plan", "patches": "--diff"}
"""Options with which a person gives something else than what a gate shows, by its kind."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@run_argument
@click.option("--choice", type=click.IntRange(0), default=0, help="At a patches gate: 0 the best, 1… a runner-up.")
@click.option("--diff", type=_FILE, help="At a patches gate: this diff instead.")
@click.option(
    "--plan", type=_FILE, help="At a plan gate: this plan instead (`gate.subject` of `podium show --json`, edited)."
)
@click.option(
    "--accept",
    "accepts",
    multiple=True,
    metavar="RISK",
    help="At the handover: a risk that has to be accepted by name; may be given several times.",
)
@click.option("--sha256", "seen", default="", help="Approve only what has this digest (`podium show --json`).")
@reason_option
@json_option
def approve(
    run: str,
    choice: int,
    diff: Path | None,
    plan: Path | None,
    accepts: tuple[str, ...],
    seen: str,
    reason: str,
    as_json: bool,
) -> None:
    """Answer the gate a run waits at: go on.

    What is approved is what `podium show RUN` shows now, by its digest. A run that nobody conducts at
    the moment goes on with `podium resume RUN`. What a change could do outside the sandbox, or hide from
    its reviewer, no rule may approve: a person accepts each such risk by its name, which goes on the ledger.

    \b
    Examples:
      podium approve last
      podium approve r-7k --choice 1 --reason "the smaller change"
      podium approve r-7k --diff mine.diff
      podium approve r-7k --accept dependencies --accept automation
      podium approve r-7k --plan mine.json
    """
    if diff and plan:
        raise trouble(
            "An edited diff and an edited plan do not go together.", "Give the one the gate is about.", code=2
        )
    file = diff or plan
    said = partial(answer, by=who(), via="command", reason=reason)
    if file is None:
        decision = partial(said, verdict="approve", choice=choice, accepts=accepts)
    elif diff:
        decision = partial(said, verdict="modify", diff=_text(file))
    else:
        decision = partial(said, verdict="modify", plan=_plan(file))
    _answered(start(_decide, run, decision, seen, "--diff" if diff else "--plan", file), "approved", as_json)


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise trouble(f"{file} is not UTF-8: {error.reason}.", "Nothing was decided.") from error


def _plan(file: Path) -> Plan:
    try:
        return Plan.model_validate_json(_text(file))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "JSON"
        raise trouble(f"{file} is no plan: {where}: {first['msg']}.", "Nothing was decided.") from error


@click.command()
@run_argument
@click.option("--reason", required=True, help="What is wrong with it; the next round works with that.")
@json_option
def reject(run: str, reason: str, as_json: bool) -> None:
    """Answer the gate a run waits at: not this, because …

    Where there is another round, the reason feeds it; otherwise the run ends (exit code 4 of `podium run`).

    \b
    Examples:
      podium reject last --reason "the limit belongs into the tariff, not here"
    """
    decision = partial(answer, verdict="reject", by=who(), via="command", reason=reason)
    _answered(start(_decide, run, decision), "rejected", as_json)


@click.command()
@run_argument
@reason_option
@json_option
def abort(run: str, reason: str, as_json: bool) -> None:
    """End a run, and clean up after it.

    An orchestrator that is at work on it stops. Nothing in your repository is changed: a branch that had been delivered
    already is taken back, unless you went on with it; then the reason says so.

    \b
    Examples:
      podium abort last --reason "found it myself"
    """
    from orchestrator.cli.conduct import abort_run, conduct

    state = conduct(partial(abort_run, run, reason)).state
    if as_json:
        document(state)
    else:
        click.echo(f"{state.run} is {state.status.replace('_', ' ')}.")


def _answered(request: GateRequest, how: str, as_json: bool) -> None:
    if as_json:
        document({"run": request.run, "gate": request.gate, "subject_sha256": request.subject_sha256, "verdict": how})
        return
    out().print(paper(request))
    click.echo(f"\n{how}: gate {request.gate} of {request.run}, sha256 {request.subject_sha256[:16]}…")
    click.echo(f"If nobody conducts the run now: podium resume {request.run}", err=True)


async def _decide(
    name: str, decision: Callable[[GateRequest], GateDecision], seen: str = "", edit: str = "", file: Path | None = None
) -> GateRequest:
    state = state_dir()
    async with (
        house(state) as found,
        connect(state, found.url, AUDITOR) as ledger,
        connect(state, found.url, PERSON) as person,
    ):
        run = await state_of(ledger, await find_run(ledger, name))
        request = await gates.pending(ledger, run)
        if request is None:
            raise _nothing_to_decide(run)
        if file and edit != _EDITS.get(request.kind):
            raise _not_edited_here(request, edit)
        if seen and not request.subject_sha256.startswith(seen):
            raise trouble(
                f"What waits now has the digest {request.subject_sha256}, not {seen}.",
                f"Look again: podium show {run.run}",
            )
        try:
            await gates.decide(person, request, decision(request))
        except InvalidDecision as error:
            kept = f"What you wrote is in {file} as it was; mend it there, and answer again." if file else ""
            raise trouble(f"Gate {error.gate} did not take that: {error.reason}.", kept) from error
        return request


def _not_edited_here(request: GateRequest, edit: str) -> Trouble:
    takes = _EDITS.get(request.kind)
    way_out = f"Give {takes} FILE, or answer" if takes else "Answer"
    said = f"{request.run} waits at gate {request.gate}, which takes no {edit}."
    return trouble(said, f"{way_out} it as it is: `podium approve` or `podium reject`. Nothing was decided.")


def _nothing_to_decide(run: RunState) -> Trouble:
    if run.ended:
        return trouble(f"{run.run} is {run.status.replace('_', ' ')} already; nothing is to be decided.")
    return trouble(f"{run.run} waits at no gate now.", f"podium watch {run.run} follows it.")
