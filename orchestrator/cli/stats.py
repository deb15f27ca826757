"""`podium stats`: runs in figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bus.errors import Unreadable
from contracts.metrics import AgentSpending, CallCount
from contracts.rework import DEGREES
from orchestrator.audit import audit
from orchestrator.cli.moments import Since
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.cli.spending import money, spent
from orchestrator.cli.trouble import trouble
from orchestrator.errors import Torn
from orchestrator.recording import readable
from orchestrator.runs import list_runs, state_of
from orchestrator.stats import RunStats, Stats, Totals
from orchestrator.stats import stats as figures
from orchestrator.text import count, duration
from orchestrator.view import STATUS_STYLE

SINCE = "7d"


@click.command()
@click.argument("run", metavar="[RUN]", default="")
@click.option("--since", type=Since(), show_default=SINCE, help="Runs started since then: 90m, 24h, 7d, 2w, or a date.")
@json_option
@click.pass_context
def stats(context: click.Context, run: str, since: datetime | None, as_json: bool) -> None:
    """Show what runs came to: calls, tokens and cost by agent, times, fix rounds, edits at gates, rework.

    Times are of work until ready for review; waiting for people is shown apart. Tokens and cost are what the model
    server's answers on the ledger say; a cost is unknown where a model has no price. Rework is what `podium rework`
    found last. Exits with 1 if the ledger has lost parts of a run, or a run's events and the servers' streams disagree.

    \b
    Examples:
      podium stats
      podium stats last
      podium stats --since 24h --json
    """
    if run and since:
        raise trouble("--since chooses among all runs.", f"Leave it out to see {run}.", code=2)
    found, torn = start(partial(_stats, run, since or Since().convert(SINCE, None, None)))
    if as_json:
        document(found)
    elif found.runs:
        out().print(draw(found))
    elif not torn:
        click.echo("There are no runs of that time. `podium runs` lists all.")
    wrong = [f"{each.run}: {each.disagreement}." for each in found.runs if each.disagreement]
    for each in (*map(str, torn), *wrong):
        click.secho(each, err=True, fg="red")
    if torn or wrong:
        context.exit(1)


async def _stats(name: str, since: datetime) -> tuple[Stats, tuple[Torn | Unreadable, ...]]:
    async with ledger() as bus:
        run = await find_run(bus, name) if name else ""
        if run:
            states, torn = (await state_of(bus, run),), tuple[Torn | Unreadable, ...]()
        else:
            listing = await list_runs(bus)
            states, torn = tuple(state for state in listing.runs if state.started_at >= since), listing.torn
        return figures(states, (await audit(bus, await readable(bus), run)).calls), torn


def draw(found: Stats) -> Group:
    """The figures on a terminal."""
    parts: list[RenderableType] = [_runs(found.runs), Text()] if len(found.runs) > 1 else []
    parts += [_summary(found), Text(), _calls(found.total.calls)]
    if found.total.spending:
        parts += [Text(), _spending(found.total.spending, found.total)]
    return Group(*parts)


def _runs(runs: Sequence[RunStats]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("run", "status", "tokens", "cost", "ready", "people", "fixes", "edits", "rework"):
        # Folded where a terminal is narrow: a number that is cut short is another number.
        left = name in ("run", "status", "rework")
        table.add_column(name, overflow="fold", justify="left" if left else "right")
    for each in runs:
        told = each.metrics
        table.add_row(
            Text(each.run, "bold"),
            Text(each.status.replace("_", " "), STATUS_STYLE[each.status]),
            *(f"{each.spent.usage.total:,}", money(each.spent.cost_usd)),
            *(duration(told.ready_s), duration(told.human_s), f"{told.fix_rounds}", f"{told.human_edits}"),
            each.rework or "",
        )
    return table


def _summary(found: Stats) -> Table:
    total, table = found.total, Table(box=None, padding=(0, 2, 0, 0), show_edge=False, show_header=False)
    ended = ", ".join(f"{number:,} {status.replace('_', ' ')}" for status, number in total.ended.items())
    name, status = f"{total.runs:,} runs", ended
    if len(found.runs) == 1:
        name, status = found.runs[0].run, found.runs[0].status.replace("_", " ")
    measured = ", ".join(f"{total.rework[each]:,} {each}" for each in DEGREES if each in total.rework)
    for label, said in (
        (name, status),
        ("calls", f"{total.orchestrator_calls:,} of the orchestrator, {total.agent_calls:,} of agents"),
        ("models", spent(total.spent) if total.spent.requests else "nobody asked, nothing spent"),
        ("work", f"{duration(total.ready_s)} until ready for review, or the end"),
        ("people", f"{duration(total.human_s)} waited for them, {count(total.human_edits, 'edit')} at gates"),
        ("fix rounds", f"{total.fix_rounds:,}"),
        ("rework", (found.runs[0].rework if len(found.runs) == 1 else measured) or "not measured"),
    ):
        table.add_row(Text(label, "bold" if label == name else ""), said)
    return table


def _calls(calls: Sequence[CallCount]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("caller", "called", "calls", "failed", "took"):
        table.add_column(name, no_wrap=True, justify="left" if name in ("caller", "called") else "right")
    for each in calls:
        failed = Text(f"{each.failed:,}", "red" if each.failed else "dim")
        table.add_row(each.caller, Text(each.server, "cyan"), f"{each.calls:,}", failed, duration(each.seconds))
    return table


def _spending(spending: Sequence[AgentSpending], total: Totals) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("agent", "requests", "input", "output", "cached", "cost"):
        table.add_column(name, no_wrap=True, justify="left" if name == "agent" else "right")
    rows = [(each.agent, each.spent) for each in spending]
    for agent, came_to in [*rows, *([("together", total.spent)] if len(rows) > 1 else [])]:
        used = came_to.usage
        cached = used.cache_read_tokens + used.cache_write_tokens
        cells = (came_to.requests, used.input_tokens, used.output_tokens, cached)
        table.add_row(agent, *(f"{cell:,}" for cell in cells), money(came_to.cost_usd))
    return table
