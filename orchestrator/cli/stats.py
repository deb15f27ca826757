"""`podium stats`: runs in figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from contracts.base import utc_now
from contracts.metrics import AgentSpending, CallCount, Metrics
from orchestrator.audit import audit
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, out, start
from orchestrator.cli.spending import money
from orchestrator.cli.trouble import trouble
from orchestrator.errors import Torn
from orchestrator.recording import readable
from orchestrator.runs import list_runs, state_of
from orchestrator.stats import RunStats, Stats, Totals
from orchestrator.stats import stats as figures
from orchestrator.text import duration
from orchestrator.view import STATUS_STYLE

SINCE = "7d"
_AGO = re.compile(r"([0-9]+)([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Since(click.ParamType[datetime]):
    """`90m`, `24h`, `7d`, `2w`, or a date."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """A moment in UTC; a date without a zone is the local one."""
        if isinstance(value, datetime):
            return value
        try:
            if found := _AGO.fullmatch(str(value)):
                return utc_now() - int(found[1]) * _UNITS[found[2]]
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; write 90m, 24h, 7d, 2w, or a date like 2026-01-31.", param, ctx)


@click.command()
@click.argument("run", metavar="[RUN]", default="")
@click.option("--since", type=Since(), show_default=SINCE, help="Runs started since then: 90m, 24h, 7d, 2w, or a date.")
@json_option
@click.pass_context
def stats(context: click.Context, run: str, since: datetime | None, as_json: bool) -> None:
    """Show what runs came to: calls, tokens and cost by agent, times, fix rounds, edits at gates.

    Times are of work until ready for review; waiting for people is shown apart. Tokens and cost are what the model
    server's answers on the ledger say; a cost is unknown where a model has no price. Exits with 1 if the ledger has
    lost parts of a run, or a run's events and the servers' streams disagree.

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
        out().print(draw(found, out()))
    elif not torn:
        click.echo("There are no runs of that time. `podium runs` lists all.")
    wrong = [f"{each.run}: {each.disagreement}." for each in found.runs if each.disagreement]
    for each in (*map(str, torn), *wrong):
        click.secho(each, err=True, fg="red")
    if torn or wrong:
        context.exit(1)


async def _stats(name: str, since: datetime) -> tuple[Stats, tuple[Torn, ...]]:
    async with ledger() as bus:
        run = await find_run(bus, name) if name else ""
        if run:
            states, torn = (await state_of(bus, run),), tuple[Torn, ...]()
        else:
            listing = await list_runs(bus)
            states, torn = tuple(state for state in listing.runs if state.started_at >= since), listing.torn
        return figures(states, (await audit(bus, await readable(bus), run)).calls), torn


def draw(found: Stats, to: Console) -> Group:
    """The figures on a terminal."""
    total = found.total
    parts: list[RenderableType] = [_runs(found.runs, total)]
    parts.append(Text("calls: the orchestrator's + agents'; ready: work until review; people: waiting for them", "dim"))
    parts.append(Text())
    parts += [_calls(total.calls), Text()]
    parts.append(_spending(total.spending, total) if total.spending else Text("No model was asked.", "dim"))
    return Group(*parts)


def _runs(runs: Sequence[RunStats], total: Totals) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("run", "status", "calls", "tokens", "cost", "ready", "people", "fixes", "edits"):
        table.add_column(name, no_wrap=True, justify="left" if name in ("run", "status") else "right")
    for each in runs:
        status = Text(each.status.replace("_", " "), STATUS_STYLE[each.status])
        told = each.metrics
        table.add_row(Text(each.run, "bold"), status, *_row(each, told.ready_s, told.human_s, told))
    if len(runs) > 1:
        table.add_row(f"{total.runs} runs", "", *_row(total, total.ready_s, total.human_s, total), style="bold")
    return table


def _row(of: RunStats | Totals, ready_s: float, human_s: float, rounds: Metrics | Totals) -> tuple[str, ...]:
    calls = f"{of.orchestrator_calls:,} + {of.agent_calls:,}"
    spent = (f"{of.spent.usage.total:,}", money(of.spent.cost_usd))
    return (calls, *spent, duration(ready_s), duration(human_s), f"{rounds.fix_rounds}", f"{rounds.human_edits}")


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
    for agent, spent in [*rows, *([("together", total.spent)] if len(rows) > 1 else [])]:
        used = spent.usage
        cached = used.cache_read_tokens + used.cache_write_tokens
        cells = (spent.requests, used.input_tokens, used.output_tokens, cached)
        table.add_row(agent, *(f"{cell:,}" for cell in cells), money(spent.cost_usd))
    return table
