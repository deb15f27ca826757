"""Human rework of a run, measured in a repository: its base, what was handed over, and what was merged.

Only trees are compared, so that it makes no difference how the change came in: merged, squashed or rebased, alone or
with other work. What counts is in `orchestrator.survival`, what it is called in `contracts.rework`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bus.bus import Bus
from contracts.bundle import Bundle
from contracts.git_env import branch_name
from contracts.rework import FileRework, Rework, degree
from contracts.run import Event, ReworkMeasuredEvent
from contracts.state import RunState
from orchestrator import bundle as bundles
from orchestrator.errors import OrchestratorError
from orchestrator.intake import git_answers, run_git
from orchestrator.journal import Journal
from orchestrator.survival import survival
from orchestrator.versions import Versions, versions


class ReworkError(OrchestratorError):
    """It cannot be told; says why and what to do."""


def rework(state: RunState, bundle: Bundle | None, repo: Path, merged: str) -> Rework:
    """Compare `merged` in `repo`, which is only read, with what the run handed over.

    Raises:
        ReworkError: nothing was handed over, there is no such commit, or what was handed over is gone.
        IntakeError: git failed.
    """
    if state.status != "handed_over" or bundle is None:
        raise ReworkError(f"run {state.run} handed nothing over: it is {state.status.replace('_', ' ')}")
    name = f"{merged}^{{commit}}"
    if not git_answers(repo, "rev-parse", "--verify", "--quiet", "--end-of-options", name):
        raise ReworkError(f"{repo} has no commit {merged!r}; fetch it, or say with --repo where it is")
    commit = run_git(repo, "rev-parse", "--verify", "--end-of-options", name).decode().strip()
    if git_answers(repo, "cat-file", "-e", f"{bundle.head}^{{commit}}"):
        return _compared(repo, bundle, commit)
    with tempfile.TemporaryDirectory(prefix="podium-rework-") as folder:
        return _compared(_with_branch(Path(folder), repo, state, bundle), bundle, commit)


async def note(bus: Bus, found: Rework) -> None:
    """Add what was found to the run's events, unless it says what was found last.

    Raises:
        TakenOver: somebody else noted something at the same time.
    """

    async def ignore(_: Event) -> None:
        """Nobody watches."""

    journal = await Journal.read(bus, found.run, ignore)
    event = ReworkMeasuredEvent(rework=found)
    if journal.events[-1].what != event:
        await journal.add(event)


def _with_branch(folder: Path, repo: Path, state: RunState, bundle: Bundle) -> Path:
    """A repository that has all of `repo`'s commits, and the run's branch from its bundle."""
    branch = branch_name(bundle.run)
    try:
        file = bundles.branch_file(Path(state.bundle), bundle)
    except OrchestratorError as error:
        raise ReworkError(
            f"{repo} has no commit {bundle.head[:12]} any more, which {branch} was at, and {state.bundle} does not "
            "hold it either; fetch the branch from wherever it was pushed to"
        ) from error
    form = run_git(repo, "rev-parse", "--show-object-format").decode().strip()
    objects = run_git(repo, "rev-parse", "--path-format=absolute", "--git-path", "objects").decode().strip()
    run_git(folder, "init", "--quiet", "--bare", "--template=", f"--object-format={form}", ".")
    (folder / "objects" / "info").mkdir(exist_ok=True)
    (folder / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    run_git(
        folder,
        *("-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"),
        *("--no-auto-maintenance", "--refmap=", str(file), f"refs/heads/{branch}"),
    )
    return folder


def _compared(repo: Path, bundle: Bundle, commit: str) -> Rework:
    files = tuple(map(_file, versions(repo, bundle.base, bundle.head, commit)))
    handed, reworked = sum(each.handed_lines for each in files), sum(each.reworked_lines for each in files)
    rearranged = sum(each.rearranged_lines for each in files)
    return Rework(
        run=bundle.run,
        handed_over=bundle.head,
        merged=commit,
        degree=degree(handed, reworked, rearranged),
        share=reworked / max(1, handed),
        handed_lines=handed,
        reworked_lines=reworked,
        rearranged_lines=rearranged,
        files=files,
    )


def _file(found: Versions) -> FileRework:
    lines = survival(found.base, found.handed, found.merged)
    return FileRework(
        path=found.path,
        merged_as=found.merged_as,
        handed_lines=lines.handed,
        reworked_lines=lines.reworked,
        rearranged_lines=lines.rearranged,
    )
