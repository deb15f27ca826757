"""How a run's tests are started: written once by intake as `work/<run>/settings.json`, and kept to.

The person's checkout and the base commit say it. Nothing that the run writes has a say in how it is tested.
"""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model


class PytestConfig(Model):
    """The file that configures pytest, as the base commit has it."""

    name: str = Field(description="At the tree's root: `pytest.ini`, `pyproject.toml`, …")
    text: str


class RunSettings(Model):
    """What the run's tree does not say, because it has no ignored files, or may not say."""

    python: str | None = None
    """Absolute path of the project's own interpreter (a virtual environment's `bin/python`)."""
    test_command: tuple[str, ...] = ()
    """A command that runs the tests and writes JUnit XML; empty means pytest."""
    junit: str | None = None
    """Path of that XML file, relative to the tree."""
    pytest: PytestConfig | None = None
    """None: it is looked for in the tree."""
