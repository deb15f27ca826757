"""`podium demo`: a newcomer's first minute."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.consent import CONSENT_ENV
from orchestrator import intake
from orchestrator.cli.conduct import RUNS_CODE, Watching, conduct, conductor
from orchestrator.cli.narration import ApprovingDesk, Narrator, inside
from orchestrator.cli.shared import out
from orchestrator.cli.tell import report_of
from orchestrator.cli.wishes import Wishes, settled
from orchestrator.keys import take_keys
from orchestrator.papers import diff_text, suite
from orchestrator.run import Outcome
from orchestrator.text import duration

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "parcelpost"
TEST_FILE = "tests/test_support_cases.py"
TEST = f"{TEST_FILE}::test_two_kilos_of_flour_pay_for_two_kilos"
REQUEST = "Two kilos of flour cost 7.99 € to send. The price list says 5.90 € up to and including two kilos."
AUTHOR = ("-c", "user.name=Podium demo", "-c", "user.email=demo@example.invalid", "-c", "commit.gpgsign=false")


@click.command()
@click.pass_context
def demo(context: click.Context) -> None:
    """Watch a real bug of a small project being repaired, without an API key.

    Copies a project that ships with Podium to a temporary folder and runs `fix-bug` on it. The demo says
    yes at the gates in your place, and shows what you would have seen.

    \b
    Examples:
      podium demo
      make demo
    """
    to = out()
    take_keys()  # before git is started, which has no use for them
    project = prepare(Path(tempfile.mkdtemp(prefix="podium-demo-")))
    introduce(to, project)
    narrator = Narrator(to)
    began = time.monotonic()

    async def work(watching: Watching) -> Outcome:
        wishes = Wishes(workflow="fix-bug", repo=project, tests=(TEST,), request=REQUEST, engine="search")
        prepared = settled(wishes)
        async with conductor(watching, prepared.project, unsandboxed=False, quiet=True, consent_weak=True) as (
            conducting,
            crew,
        ):
            narrator.crew(crew, time.monotonic() - began)
            if any(card.sandbox == "weak" for card in crew if card.manifest.name in RUNS_CODE):
                to.print(inside(Text(WEAK, "yellow")))
            if any(card.weak for card in crew):
                to.print(inside(Text(NOT_HELD, "yellow")))
            conducting = replace(conducting, desk=ApprovingDesk(to, narrator))
            return await conducting.start(prepared.task, prepared.workflow, prepared.policy)

    outcome = conduct(work, narrator)
    conclude(to, outcome, project, time.monotonic() - began)
    context.exit(outcome.exit_code)


WEAK = (
    "Only a weak sandbox works on this machine (no network, limits, a scratch copy). For this project, which came "
    "with Podium, that will do; your own would need your consent. `podium doctor` says what makes it better."
)

NOT_HELD = (
    "This kernel cannot hold the crew to its files (it has no Landlock). For this project that will do; commands after "
    f"this one start a crew with {CONSENT_ENV}=1 only. `podium doctor` says what makes it better."
)


def prepare(folder: Path) -> Path:
    """Copy the project below `folder` and commit it: as it was, then with the test that shows the bug."""
    project = folder / EXAMPLE.name
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    intake.run_git(project, "init", "--quiet", "--initial-branch=main")
    intake.run_git(project, "add", "--all", "--", ".", f":(exclude){TEST_FILE}")
    intake.run_git(project, *AUTHOR, "commit", "--quiet", "--message=Quotes for sending parcels")
    intake.run_git(project, "add", "--", TEST_FILE)
    intake.run_git(project, *AUTHOR, "commit", "--quiet", "--message=Show what the customer with the flour saw")
    return project


def introduce(to: Console, project: Path) -> None:
    """Say what is about to happen."""
    to.print(Text.assemble(("Podium", "bold"), " repairs a real bug in a small project, in front of you."))
    to.print(Text("No API key, no network; your repositories are not touched.", "dim"))
    to.print()
    table = Table.grid(padding=(0, 2, 0, 0))
    modules = len(list((project / "parcelpost").glob("*.py")))
    table.add_row("project", Text(f"parcelpost, {modules} modules, two commits, in {project}"))
    table.add_row("bug", Text(REQUEST))
    table.add_row("test", Text(TEST))
    to.print(table)


def conclude(to: Console, outcome: Outcome, project: Path, seconds: float) -> None:
    """Say how it ended, and where to look."""
    report = report_of(outcome)
    state = outcome.state
    to.print()
    if report.bundle is None:
        to.print(Text.assemble(("✗ ", "bold red"), state.reason or f"The run is {state.status}."))
        to.print(Text(f"  → {state.way_out or '`podium doctor` checks this machine.'}"))
        return
    to.print(Text.assemble(("✓ Handed over", "bold green"), f" after {duration(seconds)}"))
    to.print(Padding(diff_text(report.bundle.patch.diff), (1, 0, 1, 4), expand=False))
    table = Table.grid(padding=(0, 2, 0, 2))
    table.add_row("tests before", suite(report.bundle.before))
    table.add_row("tests after", suite(report.bundle.after))
    table.add_row("branch", Text(f"{state.branch} (one commit on main; main itself is as it was)"))
    table.add_row("bundle", Text(state.bundle))
    to.print(table)
    to.print(Text("\nLook further:", "bold"))
    podium = _podium()
    for command, what in (
        (f"git -C {shlex.quote(str(project))} show {state.branch}", "the commit, with who did what"),
        (f"{podium} show {state.run}", "the run, step by step"),
        (f"{podium} audit log --run {state.run}", "every call that was made, from the ledger"),
        (f"{podium} agents", "the crew, and what each may do"),
        (f"{podium} doctor", "what works on this machine"),
        (f"{podium} run fix-bug --help", "the same in a repository of yours"),
    ):
        to.print(Text.assemble("  ", command, (f"   # {what}", "dim")), soft_wrap=True)
    to.print(Text(f"\nWhen you have seen enough: rm -r {shlex.quote(str(project.parent))}", "dim"), soft_wrap=True)


def _podium() -> str:
    """How to call this program again from here."""
    if shutil.which("podium"):
        return "podium"
    mine = Path(sys.argv[0]).absolute()
    here = Path.cwd()
    return shlex.quote(str(mine.relative_to(here) if mine.is_relative_to(here) else mine))
