"""workspace: the only one that writes files — in the run's worktree."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.base import Model, RelPath, RunId, Sha256
from contracts.run_settings import RunSettings

OneLine = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text for one line of a commit message: it cannot begin a trailer of its own."""

TreeId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
"""The id of a git tree object: a digest of everything in it."""

MAX_BODY_CHARS = 20_000
"""Of a commit message below its first line: what a program can be given as one argument (128 KiB) in any script."""


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


class PackParams(Model):
    """The worktree as it is now, for who cannot read it where it lies."""

    run: RunId
    have: tuple[TreeId, ...] = Field(
        default=(), max_length=64, description="Trees that need not be sent again; unknown ones count for nothing."
    )


class PackResult(Model):
    """A tree, what is missing to have all of it, and how the run's tests are started."""

    tree: TreeId
    pack: str = Field(description="A git pack in base64; empty where nothing is missing.")
    settings: RunSettings


class CommitParams(Model):
    """Commit what was applied, with trailers naming run, step and agent."""

    run: RunId
    step: OneLine
    agent: OneLine
    subject: OneLine
    body: str = Field(default="", max_length=MAX_BODY_CHARS, pattern=r"^[^\x00]*$")


class CommitResult(Model):
    """The new head."""

    head: str


class RevertParams(Model):
    """Put the worktree back to `commit`, discarding anything later; or to one that the last such call discarded."""

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
