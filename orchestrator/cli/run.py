"""`podium run`: give the crew a task."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from orchestrator.cli.shared import json_option

GATES = ("plan", "patches", "handoff")


def _check_gates(_: click.Context, __: click.Parameter, value: str) -> str:
    unknown = sorted({part.strip() for part in value.split(",")} - {*GATES, "all", ""})
    if unknown:
        raise click.BadParameter(f"there is no gate {', '.join(unknown)}; there are {', '.join(GATES)}, or `all`.")
    return value


auto_option = click.option(
    "--auto",
    default="",
    callback=_check_gates,
    metavar="GATES",
    help="Gates to pass without asking: plan,patches,handoff or all.",
)


@click.group()
def run() -> None:
    """Give the crew a task in your repository.

    Your checkout is never touched. What comes out is the branch `podium/RUN` and a bundle with the evidence.

    \b
    Examples:
      podium run fix-bug --test tests/test_x.py::test_y
      podium run fix-bug --help
    """


@run.command("fix-bug")
@click.argument("words", nargs=-1)
@click.option(
    "--repo",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default="here",
    help="The git checkout; anywhere inside it.",
)
@click.option(
    "--test", "tests", multiple=True, required=True, help="A test that fails and must pass; may be given several times."
)
@click.option("--base", default="HEAD", show_default=True, help="Branch, tag or commit to start from.")
@auto_option
@click.option("--budget-seconds", type=click.FloatRange(min=0, min_open=True), help="For one round of searching.")
@click.option("--avoid", multiple=True, help="A path no patch may change; may be given several times.")
@click.option("--consent-weak", is_flag=True, help="Run this repository's code in a weak sandbox if it must be.")
@click.option("--unsandboxed", is_flag=True, help="Run its code with NO sandbox where none works. Recorded.")
@json_option
@click.pass_context
def fix_bug(
    context: click.Context,
    words: tuple[str, ...],
    repo: Path,
    tests: tuple[str, ...],
    base: str,
    auto: str,
    budget_seconds: float | None,
    avoid: tuple[str, ...],
    consent_weak: bool,
    unsandboxed: bool,
    as_json: bool,
) -> None:
    """Look for a small repair of a bug that a failing test shows.

    WORDS say what is wrong. You are asked at three gates: the plan, the patches, the handover. What is
    found is plausible by the tests; whether it is right is yours to say.

    Exit codes: 0 handed over, 1 could not, 3 a gate waits (not a terminal), 4 aborted or rejected.

    \b
    Examples:
      podium run fix-bug --test tests/test_x.py::test_y "the last page is missing"
      podium run fix-bug --repo ~/shop --test tests/test_cart.py::test_total --auto plan,patches
      podium run fix-bug --test tests/test_x.py::test_y --auto all --json > result.json
    """
    from orchestrator.cli.conduct import Wishes, conduct, start_run
    from orchestrator.cli.tell import tell_outcome

    wishes = Wishes(
        workflow="fix-bug",
        repo=repo,
        tests=tests,
        base=base,
        request=" ".join(words).strip(),
        avoid=avoid,
        auto=auto,
        search_s=budget_seconds,
        consent_weak=consent_weak,
        unsandboxed=unsandboxed,
        quiet=as_json,
    )
    outcome = conduct(partial(start_run, wishes))
    tell_outcome(outcome, as_json)
    context.exit(outcome.exit_code)
