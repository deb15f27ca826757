"""`podium bundle`: a run's result as a folder of your own."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from contracts.state import RunState
from orchestrator.cli.recall import find_run
from orchestrator.cli.shared import document, json_option, ledger, run_argument, start
from orchestrator.cli.trouble import trouble
from orchestrator.runs import state_of


@click.command()
@run_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write; must be new.")
@json_option
def bundle(run: str, output: Path, as_json: bool) -> None:
    """Copy a run's result: the patch, the branch as a git bundle, the evidence, a summary.

    \b
    Examples:
      podium bundle last -o review
      git fetch review/branch.bundle 'refs/heads/*:refs/heads/*'
    """
    state = start(_state, run)
    source = Path(state.bundle)
    if not state.bundle:
        raise trouble(
            f"Run {state.run} has no bundle: it is {state.status.replace('_', ' ')}.",
            f"`podium show {state.run}` says where it stands.",
        )
    if not source.is_dir() and state.pruned and state.pruned_at:
        raise trouble(
            f"The bundle of {state.run} was pruned by {state.pruned.by} on {state.pruned_at:%Y-%m-%d}: "
            f"{state.pruned.policy}.",
            f"The branch {state.branch} may still be there; bundle.json had the sha256 {state.bundle_sha256}.",
        )
    if not source.is_dir():
        raise trouble(
            f"The bundle of {state.run} is gone from {source}.", f"The branch {state.branch} may still be there."
        )
    if output.exists():
        raise trouble(f"{output} exists.", "Give a folder that does not exist yet.", code=2)
    shutil.copytree(source, output)
    files = sorted(path.name for path in output.iterdir())
    if as_json:
        document({"run": state.run, "trace_id": state.trace_id, "directory": str(output.resolve()), "files": files})
    else:
        click.echo(f"{output}: {', '.join(files)}")


async def _state(name: str) -> RunState:
    async with ledger() as bus:
        return await state_of(bus, await find_run(bus, name))
