"""Brings a run's branch into the user's repository, new objects and one new ref, nothing else; and takes it back."""

from __future__ import annotations

from pathlib import Path

from bus.crash import crash_point
from contracts.git_env import branch_name
from orchestrator.intake import git_answers, run_git


class HandoverError(Exception):
    """The branch was not brought in; `way_out` is what the person can do."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.message} {self.way_out}"


def deliver(repo: Path, bundle: Path, run: str, base: str, expected_head: str) -> str:
    """Create `podium/<run>` at `expected_head` in `repo` from `bundle`; returns the branch's name.

    Checkout, index, configuration, FETCH_HEAD and every other ref stay as they are; no hook and no
    maintenance runs. Done again, it finds the branch.

    Raises:
        HandoverError: the bundle does not hold that head on top of `base`, the base is gone, or the branch exists
            at another commit.
        IntakeError: git failed.
    """
    branch = branch_name(run)
    ref = f"refs/heads/{branch}"
    if git_answers(repo, "show-ref", "--verify", "--quiet", ref):
        found = run_git(repo, "rev-parse", "--verify", ref).decode().strip()
        if found != expected_head:
            raise HandoverError(
                f"The branch {branch} exists at {found}, not at {expected_head}.",
                f"Rename it (git branch -m {branch} NAME) and hand over again.",
            )
        return branch
    heads = [line.split(" ", 1) for line in run_git(repo, "bundle", "list-heads", str(bundle)).decode().splitlines()]
    if heads != [[expected_head, ref]]:
        raise HandoverError(f"{bundle} holds {heads}, not {expected_head} as {branch}.", "Export the run again.")
    if not git_answers(repo, "cat-file", "-e", f"{base}^{{commit}}"):
        raise HandoverError(f"{repo} no longer has the commit {base} the run started from.", "Fetch it first.")
    run_git(
        repo,
        *("-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"),
        *("--no-auto-maintenance", "--no-recurse-submodules", "--no-prune", "--refmap=", str(bundle), ref),
    )
    if not git_answers(repo, "merge-base", "--is-ancestor", base, expected_head):
        raise HandoverError(f"{expected_head} is not built on {base}.", "Export the run again.")
    # Created, never moved: with the null id git refuses if somebody else was quicker.
    crash_point("handover.before_ref")
    run_git(repo, "update-ref", ref, expected_head, "0" * len(expected_head))
    crash_point("handover.after_ref")
    return branch


def withdraw(repo: Path, run: str, head: str) -> str:
    """Take back the branch of a run that was aborted after all; what stays there, in words.

    Only if it is as it was delivered, at `head`, and nobody works on it: one that was gone on with is the person's.
    What was on it is kept with the run's bundle.

    Raises:
        IntakeError: git failed.
    """
    branch = branch_name(run)
    ref = f"refs/heads/{branch}"
    if not git_answers(repo, "show-ref", "--verify", "--quiet", ref):
        return ""
    worktrees = run_git(repo, "worktree", "list", "--porcelain").decode(errors="replace").splitlines()
    checked_out = f"branch {ref}" in worktrees
    if checked_out or run_git(repo, "rev-parse", "--verify", ref).decode().strip() != head:
        why = "it is checked out" if checked_out else "it has moved on"
        return f"The branch {branch} had been delivered, and stays: {why}."
    run_git(repo, "update-ref", "-d", ref, head)
    return ""
