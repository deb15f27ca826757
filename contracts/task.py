"""A task: what a person asks for."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model, Name, RelPath, RunId


class Task(Model):
    """One request to the crew."""

    run: RunId
    workflow: Name
    repo: str = Field(description="Absolute path of the person's checkout; it is read, never written.")
    base: str = Field(default="HEAD", description="Commit or ref the run starts from.")
    request: str = Field(default="", description="What is wrong or wanted, in a person's words.")
    tests: tuple[str, ...] = Field(default=(), description="Tests that show it, as the project's runner names them.")
    avoid: tuple[RelPath, ...] = Field(default=(), description="Path prefixes not to change.")
    by: str = Field(default="", description="Who asked.")
