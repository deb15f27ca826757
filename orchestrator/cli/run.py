"""`podium run`: give the crew a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.amounts import MODELS, TOKENS, USD
from orchestrator.cli.going_on import go_on_first, left_here, resume_option
from orchestrator.cli.shared import json_option

GATES = ("plan", "patches", "handoff")

Command = Callable[..., None]
Option = Callable[[Command], Command]


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
    help="Gates to pass without asking: plan,patches,handoff or all. Grave risks are asked about all the same.",
)

BUDGETS = (
    click.option("--budget-usd", type=USD, help="What asking models may cost, in US dollars."),
    click.option("--budget-tokens", type=TOKENS, help="Tokens models may read and write: 200000, 500k, 2M."),
    click.option("--budget-calls", type=click.IntRange(0), help="How often a model may be asked."),
    click.option(
        "--budget-minutes", type=click.FloatRange(0, min_open=True), help="For the run, people's time not counted."
    ),
)

_COMMON = (
    click.argument("words", nargs=-1),
    click.option(
        "--repo",
        type=click.Path(path_type=Path),
        default=Path(),
        show_default="here",
        help="The git checkout; anywhere inside it.",
    ),
    click.option("--ticket", type=click.File(encoding="utf-8"), help="File with the request; `-` reads it from stdin."),
    click.option(
        "--criteria",
        type=click.File(encoding="utf-8"),
        help="File of acceptance criteria, a list or lines; each is answered in the bundle.",
    ),
    click.option(
        "--link",
        "links",
        multiple=True,
        metavar="URL",
        help="Shown with the plan, to a planner, and in the bundle; never fetched.",
    ),
    click.option("--base", default="HEAD", show_default=True, help="Branch, tag or commit to start from."),
    auto_option,
    click.option("--avoid", multiple=True, help="A path no patch may change; may be given several times."),
    click.option("--model", "models", type=MODELS, default={}, help="Models to use: planner=…,writer=…"),
    *BUDGETS,
    click.option("--candidates", type=click.IntRange(1, 10), help="Versions to ask a model for at once."),
    resume_option,
    click.option("--consent-weak", is_flag=True, help="Run its code, and the crew, with a weak hold if it must be."),
    click.option("--unsandboxed", is_flag=True, help="Run its code with NO sandbox where none works. Recorded."),
    # Not for people: a gateway names the run that it promised its host, and the host.
    click.option("--run", metavar="RUN", hidden=True),
    click.option("--via", default="", metavar="HOST", hidden=True),
    json_option,
)


def options(several: Sequence[Option]) -> Option:
    """Several options as one decorator, in the order of `--help`."""

    def give(command: Command) -> Command:
        for option in reversed(several):
            command = option(command)
        return command

    return give


_common = options(_COMMON)
"""What every workflow takes."""


@click.group()
def run() -> None:
    """Give the crew a task in your repository.

    Your checkout is never touched. What comes out is the branch `podium/RUN` and a bundle with the evidence.

    \b
    Examples:
      podium run fix-bug --test tests/test_x.py::test_y
      podium run add-endpoint --ticket ticket.md --criteria criteria.md
      podium run fix-bug --help
    """


@run.command("fix-bug")
@click.option("--test", "tests", multiple=True, help="A test that fails and must pass; may be given several times.")
@click.option(
    "--engine",
    type=click.Choice(["search", "model", "auto"]),
    default="auto",
    show_default=True,
    help="Who makes patches. auto: the search, then a model if there is one and nothing was found.",
)
@click.option("--budget-seconds", type=click.FloatRange(min=0, min_open=True), help="For one round of searching.")
@_common
@click.pass_context
def fix_bug(context: click.Context, tests: tuple[str, ...], engine: str, **asked: Any) -> None:
    """Repair a bug: one that a failing test shows, or one that a report describes.

    WORDS say what is wrong; `-` reads them from stdin. With --test, patches are searched for, without a model, or
    written by one. Without, a model plans the work and writes a failing test first. You are asked at three gates: the
    plan, the patches, the handover. What is found is plausible by the tests; whether it is right is yours to say.
    An acceptance criterion is met by tests that were written for it, or that it names.

    Exit codes: 0 handed over, 1 could not, 3 a gate waits (not a terminal), 4 aborted or rejected, 5 over budget.

    \b
    Examples:
      podium run fix-bug --test tests/test_x.py::test_y "the last page is missing"
      podium run fix-bug --repo ~/shop --test tests/test_cart.py::test_total --auto plan,patches
      podium run fix-bug --engine model --budget-usd 2 --test tests/test_x.py::test_y
      podium run fix-bug "an empty cart has a total of 1" --auto all --json > result.json
    """
    if not tests and not asked["words"] and asked["ticket"] is None:
        raise click.UsageError("Say what is wrong, or name a failing test with --test.", context)
    if not tests and engine == "search":
        raise click.UsageError("The search needs a failing test: give one with --test.", context)
    _go(context, "fix-bug" if tests else "fix-report", tests=tests, engine=engine, **asked)


@run.command("add-endpoint")
@_common
@click.pass_context
def add_endpoint(context: click.Context, **asked: Any) -> None:
    """Add an endpoint to a service, in the way of those it has.

    WORDS are the ticket; `-` reads it from stdin. A model plans and writes, tests first: they fail before the code is
    there and pass afterwards. Each acceptance criterion is answered in the bundle.

    \b
    Examples:
      podium run add-endpoint "POST /loans/{id}/return marks a loan as returned"
      podium run add-endpoint --ticket ticket.md --criteria criteria.md --budget-usd 2
      podium run add-endpoint --ticket - --model writer=local/qwen2.5-coder < ticket.md
    """
    _go(context, "add-endpoint", **asked)


@run.command("add-option")
@_common
@click.pass_context
def add_option(context: click.Context, **asked: Any) -> None:
    """Add an option to a command, in the way of those it has.

    WORDS are the ticket; `-` reads it from stdin. A model plans and writes, tests first.

    \b
    Examples:
      podium run add-option "the server command takes --port; 8000 without it"
      podium run add-option --ticket ticket.md --criteria criteria.md --auto plan
    """
    _go(context, "add-option", **asked)


@run.command("write-tests")
@_common
@click.pass_context
def write_tests(context: click.Context, **asked: Any) -> None:
    """Write tests for what the code does today; nothing else is changed.

    WORDS say what is to be tested; `-` reads them from stdin. A model plans and writes; every test passes when it is
    written, twice.

    \b
    Examples:
      podium run write-tests "the discount rules in shop/discounts.py"
      podium run write-tests "rounding in quotes" --budget-tokens 200k --auto all --json
    """
    _go(context, "write-tests", **asked)


@run.command("write-docs")
@_common
@click.pass_context
def write_docs(context: click.Context, **asked: Any) -> None:
    """Have an agent of your own, doc_writer, write a page about what the modules offer; without a model.

    It has to be in the crew: docs/adding-an-agent.md says how it gets there. The page goes through the same gates,
    commit, tests and handover as any change.

    \b
    Examples:
      podium run write-docs "list what there is"
      podium run write-docs --repo ~/shop "list what there is" --auto all
    """
    _go(context, "write-docs", **asked)


def _go(
    context: click.Context,
    workflow: str,
    *,
    words: tuple[str, ...],
    unsandboxed: bool,
    as_json: bool,
    resume_left: bool,
    tests: tuple[str, ...] = (),
    engine: str = "model",
    budget_seconds: float | None = None,
    run: str | None = None,
    **asked: Any,
) -> None:
    from orchestrator.cli.conduct import conduct, start_run
    from orchestrator.cli.criteria import criteria_in
    from orchestrator.cli.tell import tell_outcome
    from orchestrator.cli.wishes import Wishes, new_run, request_of

    wishes = Wishes(
        workflow=workflow,
        tests=tests,
        engine=engine,
        search_s=budget_seconds,
        request=request_of(words, asked.pop("ticket"), needed=not tests),
        criteria=criteria_in(asked.pop("criteria")),
        unsandboxed=unsandboxed,
        quiet=as_json,
        run=run or new_run(),
        **asked,
    )
    go_on_first(left_here(), unasked=resume_left, quiet=as_json, unsandboxed=unsandboxed, default=False)
    outcome = conduct(partial(start_run, wishes))
    tell_outcome(outcome, as_json)
    context.exit(outcome.exit_code)
