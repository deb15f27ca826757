"""`podium broker-config`: what a NATS server of one's own has to know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from orchestrator.cli.shared import a_name
from orchestrator.cli.trouble import trouble
from orchestrator.config import crew_file
from orchestrator.environment import environment
from orchestrator.house import state_dir
from orchestrator.keys import take_keys


def _environment(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    return environment() if value is None else a_name(context, parameter, value)


@click.command("broker-config")
@click.option(
    "--environment",
    "within",
    callback=_environment,
    metavar="NAME",
    help="For a server that carries several: an account of that name. Without it, PODIUM_ENV counts.",
)
def broker_config(within: str) -> None:
    """Print users and permissions for a NATS server of your own.

    The output is a NATS configuration in JSON: an account with one nkey user for each process of Podium, and the
    subjects it may use. Give it to your server (`include podium.json`), which needs JetStream, and set
    PODIUM_NATS_URL. Of keys only the public halves are in it; they belong to this state directory. But the subjects
    by which the account is governed are in it, too: keep it from the crew. Print it anew when the crew changes, or the
    operator's key.

    With --environment it is that account alone, which goes into the server's `accounts { include prod.json }`, beside
    the system's (configs/environments/server.conf). Whoever then works with PODIUM_ENV=prod is in that account, and
    sees nothing of others: docs/scaling.md.

    \b
    Examples:
      podium broker-config > podium.json
      podium broker-config --environment prod > prod.json
    """
    state = state_dir(within)
    take_keys()  # it has no use for them
    # As for the house: `-m` looks in the working directory first, which must be ours.
    command = [sys.executable, "-m", "servers.broker_config", "--state", str(state), "--own-crew", str(crew_file())]
    done = subprocess.run(
        [*command, "--environment", within],
        cwd=Path(__file__).resolve().parent.parent.parent,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it did not say why"])[-1]
        raise trouble(
            f"The configuration cannot be made: {said}",
            f"Make {state} writable, or set PODIUM_STATE_DIR to a directory that is.",
        )
    click.echo(done.stdout, nl=False)
