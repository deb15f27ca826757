"""`podium runs` and `podium show`: what stands in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from contracts.base import utc_now
from contracts.state import RunState
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, run_argument, start
from orchestrator.cli.spending import masked
from orchestrator.papers import paper
from orchestrator.runs import Listing, Shown, list_runs, shown
from orchestrator.text import duration, line, safe
from orchestrator.view import STATUS_STYLE, picture


@click.command()
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@json_option
@click.pass_context
def runs(context: click.Context, limit: int, as_json: bool) -> None:
    """List runs, newest first. Exits with 1 if the ledger has lost parts of a run.

    \b
    Examples:
      podium runs
      podium runs -n 5 --json
    """
    listing = start(_runs)
    found = listing.runs[:limit]
    if as_json:
        document(found)
    elif found:
        out().print(_table(found, out()))
    elif not listing.torn:
        click.echo("There are no runs yet. `podium demo` makes one.")
    for torn in listing.torn:
        click.secho(str(torn), err=True, fg="red")
    if listing.torn:
        context.exit(1)


@click.command()
@run_argument
@click.option("--prompts", is_flag=True, help="Every prompt and reply instead, from the ledger.")
@json_option
def show(run: str, prompts: bool, as_json: bool) -> None:
    """Show one run: its steps, the gate it waits at, its result.

    RUN is a run's name, an unambiguous beginning of it, or `last`.

    \b
    Examples:
      podium show last
      podium show r-7k --json
      podium show last --prompts
    """
    if prompts:
        from orchestrator.cli.prompts import draw_prompts, prompts_of

        found = start(prompts_of, run)
        if as_json:
            document(found)
        else:
            out().print(draw_prompts(found))
        return
    found = start(_show, run)
    if as_json:
        document(found)
    else:
        out().print(draw(found, out().width), crop=False)


async def _runs() -> Listing:
    async with ledger() as bus:
        return await list_runs(bus)


async def _show(name: str) -> Shown:
    async with ledger() as bus:
        return await shown(bus, await find_run(bus, name))


def draw(shown: Shown, width: int) -> Group:
    """The run on a terminal, with what can be done next."""
    return Group(picture(shown.state, utc_now(), {}, width), draw_end(shown))


def draw_end(shown: Shown) -> Group:
    """Where the run stands or how it ended, and what can be done next."""
    state = shown.state
    parts: list[RenderableType] = []
    if shown.gate:
        parts += [Text(f"\nwaits at gate {shown.gate.gate}:", "yellow"), paper(shown.gate)]
    for label, text in (("because", state.reason), ("way out", state.way_out), ("by", state.by)):
        if text:
            parts.append(Text(f"{label}: {safe(text)}"))
    parts += masked(state.metrics.spent)
    if state.branch:
        where = f"branch  {state.branch} at {state.head[:12]} in {safe(state.task.repo)}\nbundle  {state.bundle}"
        parts.append(Text(where, no_wrap=True, overflow="ignore"))
    parts.append(Text(f"trace   {state.trace_id}", "dim"))
    if state.pruned and state.pruned_at:
        told = f"pruned  on {state.pruned_at:%Y-%m-%d} by {safe(state.pruned.by)}: {safe(state.pruned.policy)}"
        parts.append(Text(told, "dim"))
    parts.append(Text("\n" + "\n".join(next_commands(state)), "dim", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def next_commands(state: RunState) -> list[str]:
    """What a person may want to type now."""
    run = state.run
    match state.status:
        case "waiting":
            return [f"podium resume {run}", f"podium approve {run}", f'podium reject {run} --reason "…"']
        case "running":
            return [f"podium watch {run}", f"podium resume {run}"]
        case "handed_over":
            return [f"git -C {line(state.task.repo)} show {state.branch}", f"podium audit log --run {run}"]
        case "failed" | "aborted":
            return [f"podium audit log --run {run}"]


def _table(found: Sequence[RunState], to: Console) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("run", "status", "started", "took", *(["repository"] if to.width >= 100 else []), "request"):
        table.add_column(name, style="bold" if name == "run" else "", no_wrap=name != "request")
    for state in found:
        took = duration(((state.ended_at or state.updated_at) - state.started_at).total_seconds())
        cells = [
            Text(state.run),
            Text(state.status.replace("_", " "), STATUS_STYLE[state.status]),
            Text(f"{state.started_at.astimezone():%Y-%m-%d %H:%M}"),
            Text(took),
        ]
        if to.width >= 100:
            cells.append(Text(line(state.task.repo, 40)))
        table.add_row(*cells, Text(line(state.task.request or ", ".join(state.task.tests), 60)))
    return table
