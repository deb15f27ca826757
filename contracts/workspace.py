"""workspace: the only one that writes files — in the run's worktree."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model, RelPath, RunId, Sha256


class OpenParams(Model):
    """Create (or find) the run's worktree on its branch at `base`."""

    run: RunId
    base: str = Field(description="Commit the branch starts from.")


class OpenResult(Model):
    """Where the run stands."""

    branch: str
    head: str
    files: int


class ApplyParams(Model):
    """Check a unified diff and apply it to the worktree, all of it or nothing."""

    run: RunId
    diff: str
    expected_head: str = Field(description="Commit it was made against; anything else is a conflict.")


class ApplyResult(Model):
    """What changed."""

    files: tuple[RelPath, ...]
    added_lines: int
    removed_lines: int


class DiffParams(Model):
    """The branch (and worktree) against `base`."""

    run: RunId
    base: str


class DiffResult(Model):
    """A unified diff."""

    diff: str
    sha256: Sha256
    files: tuple[RelPath, ...]


class CommitParams(Model):
    """Commit what was applied, with trailers naming run, step and agent."""

    run: RunId
    step: str
    agent: str
    subject: str = Field(max_length=200)
    body: str = ""


class CommitResult(Model):
    """The new head."""

    head: str


class RevertParams(Model):
    """Put the worktree back to `commit`, discarding anything later."""

    run: RunId
    commit: str


class RevertResult(Model):
    """The head after it."""

    head: str


class ExportParams(Model):
    """Pack the run's branch as a git bundle in the run's folder, for the handover."""

    run: RunId
    base: str


class ExportResult(Model):
    """The bundle file's name in the run's folder, and its digest."""

    file: str
    sha256: Sha256
    head: str
    commits: int


class CloseParams(Model):
    """Remove the run's worktree and repository copy."""

    run: RunId


class CloseResult(Model):
    """Whether anything was there."""

    removed: bool
