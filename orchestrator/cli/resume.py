"""`podium resume`: go on with a run."""

from __future__ import annotations

from functools import partial

import click

from orchestrator.cli.run import auto_option
from orchestrator.cli.shared import json_option


@click.command()
@click.argument("run", metavar="[RUN]", required=False, default="")
@auto_option
@click.option("--unsandboxed", is_flag=True, help="Run its code with NO sandbox where none works. Recorded.")
@json_option
@click.pass_context
def resume(context: click.Context, run: str, auto: str, unsandboxed: bool, as_json: bool) -> None:
    """Go on with a run that was interrupted, killed, or waits at a gate.

    Without RUN it is the one that was interrupted, or else the one that waits; where there are several, they are
    listed. Finished work is not repeated: it is taken from the ledger. A run that has ended is only shown. Another
    orchestrator that is at work on the run is stopped at its next step.

    \b
    Examples:
      podium resume
      podium resume last
      podium resume r-7k --auto all --json
    """
    from orchestrator.cli.conduct import conduct, resume_run
    from orchestrator.cli.tell import tell_outcome

    outcome = conduct(partial(resume_run, run, auto, unsandboxed, as_json))
    tell_outcome(outcome, as_json)
    context.exit(outcome.exit_code)
