"""How a run's tests are started: written once by intake as `work/<run>/settings.json`."""

from __future__ import annotations

from contracts.base import Model


class RunSettings(Model):
    """What the run's tree alone cannot say, because a fresh worktree has no ignored files.

    `podium.toml` in the tree, where it has a `[test]` table, says it first.
    """

    python: str | None = None
    """Absolute path of the project's own interpreter (a virtual environment's `bin/python`)."""
    test_command: tuple[str, ...] = ()
    """A command that runs the tests and writes JUnit XML; empty means pytest."""
    junit: str | None = None
    """Path of that XML file, relative to the tree."""
