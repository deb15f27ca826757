"""`podium replay --from`: a new run that takes over what came before a step."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import click

from contracts.config import ProjectConfig
from contracts.model import Role
from contracts.run import RunStartedEvent
from contracts.spending import Allowance
from orchestrator import config
from orchestrator.borrowing import compare
from orchestrator.checkout import GitCheckout
from orchestrator.cli.conduct import Watching, conduct, conductor
from orchestrator.cli.recall import find_run
from orchestrator.fork import forked, start_fork
from orchestrator.run import Outcome
from orchestrator.runs import events_of
from orchestrator.text import count


def fork(name: str, step: str, *, models: Mapping[str, str], auto: str, budget: Allowance, quiet: bool) -> Outcome:
    """Fork the run that `name` means at `step`, and say what was taken over."""

    async def work(watching: Watching) -> Outcome:
        async with conductor(watching, ProjectConfig(), False, quiet, asks_models=True) as (conducting, _):
            old = await events_of(conducting.bus, await find_run(conducting.bus, name))
            started = old[0].what
            assert isinstance(started, RunStartedEvent), "a run begins with its started event"
            project = config.load_project(Path(started.task.repo))
            begin = forked(
                old,
                f"r-{secrets.token_hex(4)}",
                step,
                models=cast("Mapping[Role, str]", models),
                budget=budget,
                policy=config.policy(started.workflow, project, auto),
            )
            checkout = GitCheckout(work=conducting.paths.work, test=project.test)
            outcome = await start_fork(replace(conducting, checkout=checkout), begin)
            taken, anew = compare(await events_of(conducting.bus, outcome.state.run), old)
            click.echo(f"{count(len(taken), 'answer')} taken over from {started.task.run}.", err=True)
            if anew:
                click.echo(f"Asked anew, because they were asked something else: {', '.join(anew)}.", err=True)
            return outcome

    return conduct(work)
