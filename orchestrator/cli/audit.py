"""`podium audit`: the ledger, as an auditor reads it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from contracts.ledger import Kind
from orchestrator.auditing.filters import KINDS, Filter
from orchestrator.auditing.reading import Tally, everybody, follow, last, records
from orchestrator.cli.audit_filter import Kinds, filter_options, settled
from orchestrator.cli.audit_output import Format, Take, to_file, to_stdout
from orchestrator.cli.audit_show import show
from orchestrator.cli.audit_stats import stats
from orchestrator.cli.proof import export, key, verify
from orchestrator.cli.shared import json_option, ledger, start
from orchestrator.cli.trouble import trouble
from orchestrator.text import count

FORMATS: dict[str, Format] = {each: each for each in ("table", "json", "jsonl", "csv", "parquet")}


@click.group()
def audit() -> None:
    """Read the ledger: who called what, with what result.

    \b
    Examples:
      podium audit log --run last
      podium audit log --outcome denied --since 24h
      podium audit show 4f0c2a91
      podium audit stats --since 7d
      podium audit export --run last -o run.jsonl
      podium audit verify run.jsonl
    """


@audit.command()
@filter_options
@click.option("--kind", "kinds", type=Kinds(), help=f"Some of {','.join(KINDS)}; else all.", metavar="KIND,…")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N.")
@click.option("--last", "number", type=click.IntRange(1), metavar="N", help="The last N.")
@click.option("-f", "--follow", "following", is_flag=True, help="Print what comes, until Ctrl-C; from now or --since.")
@click.option("--format", "how", type=click.Choice(list(FORMATS)), help="`table`, or by the file's name.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="File to write; else stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
def log(
    wanted: Filter,
    kinds: frozenset[Kind] | None,
    limit: int | None,
    number: int | None,
    following: bool,
    how: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """List what is on the ledger, in order: calls, denials, gates and their answers, grants, pins, runs.

    Who called and who answered are what the broker checked and what is signed, not what somebody wrote. Parameters
    and results are named by their sha256. All that is given must fit; a call is shown once, with its answer.

    `json` (or --json) is one document, `jsonl` a line for each record; csv and parquet are flat (docs/audit.md has the
    columns). With --follow a call is printed once it is answered, and --json is a line for each.

    \b
    Examples:
      podium audit log --run last
      podium audit log --kind call --agent code_writer --tool "repository.*" --outcome failed
      podium audit log --kind denial,gate,grant,pin --since 7d
      podium audit log --text "rm -rf" --last 20
      podium audit log --since 2026-01-01 -o january.parquet
      podium audit log --follow --outcome denied --json | jq .tool
    """
    form = _form(how, output, as_json)
    if following and (output or number or wanted.until or form == "parquet"):
        raise trouble("--follow prints what comes.", "Leave out --last, --until and -o; redirect it to a file.", code=2)
    if limit and number:
        raise trouble("--limit is the first, --last the last.", "Take one of them.", code=2)
    if form == "parquet" and output is None:
        raise trouble("Parquet is no text.", "Name a file: -o FILE", code=2)
    wanted = replace(wanted, kinds=kinds or wanted.kinds)
    try:
        written = to_stdout(form, live=following) if output is None else to_file(output, form, force=force)
        with written as take:
            listed, foreign = start(partial(_follow if following else _log, wanted, limit, number, take))
    except FileExistsError as error:
        raise trouble(f"{output} exists.", "Name another file, or say --force.", code=2) from error
    except KeyboardInterrupt:
        if following:
            return
        raise
    if output is not None:
        click.echo(f"{output}: {count(listed, 'record')}", err=True)
    if foreign:
        were = f"{count(foreign, 'stored message')} left out: not sealed by whom the subject names, or of no call"
        click.secho(were, err=True, fg="red")


def _form(how: str | None, output: Path | None, as_json: bool) -> Format:
    if as_json and how not in (None, "json", "jsonl"):
        raise trouble(f"--json is a format, and so is {how}.", "Take one of them.", code=2)
    if how is None and not as_json and output is not None:
        how = output.suffix.removeprefix(".")
    form = "json" if as_json and how is None else how or "table"
    if form not in FORMATS or (form == "table" and output is not None):
        raise trouble(f"{output} does not say its format.", "Say --format json, jsonl, csv or parquet.", code=2)
    return FORMATS[form]


async def _log(wanted: Filter, limit: int | None, number: int | None, take: Take) -> tuple[int, int]:
    """How many were listed, and how many messages are foreign."""
    listed, tally = 0, Tally()
    async with ledger() as bus:
        wanted = await settled(bus, wanted)
        servers = await everybody(bus)
        if number is not None:
            for record in await last(bus, servers, wanted, number):
                take(record)
                listed += 1
            return listed, 0
        async with aclosing(records(bus, servers, wanted, tally)) as found:
            async for record in found:
                take(record)
                listed += 1
                if listed == limit:
                    return listed, 0
    return listed, tally.foreign


async def _follow(wanted: Filter, limit: int | None, number: int | None, take: Take) -> tuple[int, int]:
    listed = 0
    async with ledger() as bus, aclosing(follow(bus, await settled(bus, wanted))) as found:
        async for record in found:
            take(record)
            listed += 1
            if listed == limit:
                break
    return listed, 0


for command in (show, stats, export, verify, key):
    audit.add_command(command)
