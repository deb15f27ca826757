"""The options by which `podium audit log` and `stats` choose, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import wraps
from typing import Any, cast

import click

from bus.bus import Bus
from contracts.ledger import Kind
from orchestrator.auditing.filters import DECISIONS, KINDS, OUTCOMES, Filter
from orchestrator.cli.moments import Since
from orchestrator.cli.recall import find_run
from orchestrator.cli.trouble import trouble


class Kinds(click.ParamType[frozenset[Kind]]):
    """`call,denial`."""

    name = "kinds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[Kind]:
        """Kinds of records."""
        if isinstance(value, frozenset):
            return cast("frozenset[Kind]", value)
        named = frozenset(each.strip() for each in str(value).split(","))
        if unknown := sorted(named - {*KINDS}):
            self.fail(f"there is no kind {', '.join(unknown)}; there are {', '.join(KINDS)}.", param, ctx)
        return cast("frozenset[Kind]", named)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The kinds, behind those that are there already."""
        from click.shell_completion import CompletionItem

        before, comma, begun = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{kind}") for kind in KINDS if kind.startswith(begun)]


_OPTIONS = (
    click.option("--run", default="", metavar="RUN", help="Only this run: a name, its beginning, or `last`."),
    click.option("--agent", default="", metavar="NAME", help="Who called, was called, granted or pinned."),
    click.option("--tool", default="", metavar="GLOB", help="Calls to such tools: `read`, `repository.*`."),
    click.option(
        "--outcome",
        "outcomes",
        multiple=True,
        type=click.Choice([*OUTCOMES, *DECISIONS]),
        metavar="OUTCOME",
        help=f"May be repeated: {', '.join(OUTCOMES)}; at gates {', '.join(DECISIONS)}.",
    ),
    click.option("--since", type=Since(), help="Stored since then: 90m, 24h, 7d, 2w, or a date, ISO 8601."),
    click.option("--until", type=Since(), help="Stored until then."),
    click.option("--text", default="", help="Whose message or answer holds this text."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of a command that is given the `Filter` they come to, as `wanted`."""

    @wraps(command)
    def with_filter(
        *args: Any,
        run: str,
        agent: str,
        tool: str,
        outcomes: tuple[str, ...],
        since: datetime | None,
        until: datetime | None,
        text: str,
        **others: Any,
    ) -> Any:
        if since and until and since > until:
            raise trouble(f"--since {since:%c} is after --until {until:%c}.", "Change one of them.", code=2)
        wanted = Filter(
            run=run, agent=agent, tool=tool, outcomes=frozenset(outcomes), since=since, until=until, text=text
        )
        return command(*args, wanted=wanted, **others)

    for option in reversed(_OPTIONS):
        with_filter = option(with_filter)
    return with_filter


async def settled(bus: Bus, wanted: Filter) -> Filter:
    """With the run that is meant.

    Raises:
        Trouble: there is no such run, or there are several.
    """
    return replace(wanted, run=await find_run(bus, wanted.run)) if wanted.run else wanted
