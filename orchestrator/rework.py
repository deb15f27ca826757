"""Human rework: how far the code that was merged is from the code that was handed over.

In the files of the handed-over patch, the lines that differ between the run's head and the merged commit (lines added
plus lines removed, as `git diff` counts them) over the lines the patch itself had changed:

- none: no line differs,
- minor: at most `MINOR` of them,
- major: more.

Name the commit that brought the change in, not a later one: whatever else was changed in these files counts, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from contracts.base import Model, RelPath, RunId
from contracts.bundle import Bundle
from contracts.git_env import branch_name
from contracts.state import RunState
from orchestrator import bundle as bundles
from orchestrator.errors import OrchestratorError
from orchestrator.intake import git_answers, run_git

MINOR = 0.25
"""Up to this share of the patch's lines, rework is minor."""

Degree = Literal["none", "minor", "major"]


class ReworkError(OrchestratorError):
    """It cannot be told; says why and what to do."""


class FileRework(Model):
    """One file."""

    path: RelPath
    patch_lines: int
    """Lines the handed-over patch added and removed."""
    differing_lines: int
    """Lines added and removed from what was handed over to what was merged."""


class Rework(Model):
    """How far a run's result was changed before or while it was merged."""

    run: RunId
    handed_over: str
    """The run's head."""
    merged: str
    """The full name of the commit."""
    degree: Degree
    share: float
    """Differing lines over the patch's lines."""
    patch_lines: int
    differing_lines: int
    files: tuple[FileRework, ...]


def degree(patch_lines: int, differing_lines: int) -> Degree:
    """See the top of this file."""
    if not differing_lines:
        return "none"
    return "minor" if differing_lines <= MINOR * patch_lines else "major"


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
    of_patch = _lines(repo, bundle.base, bundle.head, bundle.patch.files)
    differing = _lines(repo, bundle.head, commit, bundle.patch.files)
    patch_lines, differing_lines = sum(of_patch.values()), sum(differing.values())
    return Rework(
        run=bundle.run,
        handed_over=bundle.head,
        merged=commit,
        degree=degree(patch_lines, differing_lines),
        share=differing_lines / max(1, patch_lines),
        patch_lines=patch_lines,
        differing_lines=differing_lines,
        files=tuple(
            FileRework(path=path, patch_lines=of_patch.get(path, 0), differing_lines=differing.get(path, 0))
            for path in bundle.patch.files
        ),
    )


def _lines(repo: Path, old: str, new: str, paths: Sequence[str]) -> dict[str, int]:
    """Lines added plus removed by path; a file that is no text counts as one line."""
    if not paths:
        return {}
    said = run_git(
        repo,
        *("--literal-pathspecs", "diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"),
        *(old, new, "--", *paths),
    )
    found: dict[str, int] = {}
    for row in filter(None, said.decode(errors="surrogateescape").split("\0")):
        added, removed, path = row.split("\t", 2)
        found[path] = 1 if added == "-" else int(added) + int(removed)
    return found
