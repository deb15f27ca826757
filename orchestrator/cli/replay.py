"""`podium replay`: run a recorded run again, on the ledger alone; or fork a new run from it."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

import click
from rich.console import Group
from rich.text import Text

from contracts.spending import Allowance
from orchestrator import recording
from orchestrator.cli.amounts import MODELS, allowance
from orchestrator.cli.recall import find_run
from orchestrator.cli.run import BUDGETS, auto_option, options
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.cli.spending import spent
from orchestrator.cli.trouble import trouble
from orchestrator.recording_file import load
from orchestrator.replay import Replay
from orchestrator.replay import replay as run_again
from orchestrator.text import count, safe


@click.command()
@click.argument("run", metavar="RUN|FILE")
@click.option("--from", "step", default="", metavar="STEP", help="Fork a new run there; take over what came before.")
@click.option("--model", "models", type=MODELS, default={}, help="With --from, models to use: planner=…,writer=…")
@auto_option
@options(BUDGETS)
@json_option
@click.pass_context
def replay(
    context: click.Context,
    run: str,
    step: str,
    models: dict[str, str],
    auto: str,
    budget_usd: Decimal | None,
    budget_tokens: int | None,
    budget_calls: int | None,
    budget_minutes: float | None,
    as_json: bool,
) -> None:
    """Run a run again from the ledger: nobody is asked, nothing is written, nothing is paid.

    Every answer, value and decision comes from the ledger, or from a FILE of `podium audit export`. If this version of
    Podium does something else than is recorded, the step and both digests are named; so they are where a message,
    agents' own calls among them, is missing, was changed, or has no place in the run.

    With --from, a new run is started. What agents answered before STEP is taken over where they would be asked the
    same; gates are asked again, and from STEP on everything is done anew. The other options are for it,
    and its budgets for it alone.

    Exit codes: 0 identical, 1 diverged; with --from those of `podium run`.

    \b
    Examples:
      podium replay last
      podium replay run.jsonl --json
      podium replay r-7k --from propose --model writer=claude-sonnet-5-5 --budget-usd 1
    """
    budget = allowance(budget_usd, budget_tokens, budget_calls, budget_minutes)
    if step:
        from orchestrator.cli.fork import fork
        from orchestrator.cli.tell import tell_outcome

        if _file(run):
            raise trouble(f"A file cannot be forked, and {run} is one.", "Name a run of this ledger.", code=2)
        outcome = fork(run, step, models=models, auto=auto, budget=budget, quiet=as_json)
        tell_outcome(outcome, as_json)
        context.exit(outcome.exit_code)
    if models or auto or budget != Allowance():
        raise trouble("--model, --auto and the budgets belong to a new run.", "Name a step with --from.", code=2)
    found = start(partial(_replay, run))
    if as_json:
        document(found)
    else:
        out().print(draw(found), soft_wrap=True)
    context.exit(0 if found.verdict == "identical" else 1)


def _file(name: str) -> Path | None:
    """The file that `name` means; None where it means a run."""
    file = Path(name)
    return file if file.is_file() or file.suffix or len(file.parts) > 1 else None


async def _replay(name: str) -> Replay:
    if file := _file(name):
        if not file.is_file():
            raise trouble(f"There is no file {name}.", "`podium audit export --run RUN -o FILE` writes one.")
        return await run_again(load(file))
    async with ledger() as bus:
        kept = await recording.record(bus, await find_run(bus, name), await recording.readable(bus))
    return await run_again(kept)


def draw(found: Replay) -> Group:
    """The verdict on a terminal."""
    what = f"{count(found.events, 'event')}, {count(found.calls, 'call')}, {found.nested_calls:,} of agents"
    cost = f"models then: {found.model_calls:,} asked, {spent(found.spent_then)}; now: nobody asked, nothing spent"
    parts: list[Text] = []
    if found.divergence is None:
        far = f"{found.status.replace('_', ' ')}" if found.ended else "as far as it goes; it has not ended"
        parts.append(Text.assemble(("✓ identical  ", "bold green"), f"{found.run}, {far}"))
    else:
        parts.append(Text.assemble(("✗ diverged  ", "bold red"), f"{found.run} at {found.divergence.step}"))
        for label, said, digest in (
            ("recorded", found.divergence.recorded, found.divergence.recorded_sha256),
            ("now", found.divergence.replayed, found.divergence.replayed_sha256),
        ):
            parts.append(Text(f"  {label:<9} {safe(said)}"))
            if digest and digest not in said:
                parts.append(Text(f"  {'':<9} sha256 {digest}", "dim"))
    parts += [Text(f"  {what}"), Text(f"  {cost}")]
    if found.foreign:
        were = f"{count(found.foreign, 'message')} left out: not sealed by whom the subject names, or of no call"
        parts.append(Text(f"  {were}", "red"))
    return Group(*parts)
