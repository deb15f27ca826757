"""A task: what a person asks for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name, RelPath, RunId
from contracts.model import Role

Engine = Literal["search", "model", "auto"]
"""Who writes patches. auto: the search where a failing test exists, then the model, if there is one."""

MAX_CRITERIA = 50
MAX_CRITERION_CHARS = 2000


class Criterion(Model):
    """An acceptance criterion."""

    id: Name
    text: str = Field(min_length=1, max_length=MAX_CRITERION_CHARS)


class Task(Model):
    """One request to the crew."""

    run: RunId
    workflow: Name
    repo: str = Field(description="Absolute path of the person's checkout; it is read, never written.")
    base: str = Field(default="HEAD", description="Commit or ref the run starts from.")
    request: str = Field(default="", description="What is wrong or wanted, in a person's words.")
    tests: tuple[str, ...] = Field(default=(), description="Tests that show it, as the project's runner names them.")
    avoid: tuple[RelPath, ...] = Field(default=(), description="Path prefixes not to change.")
    criteria: tuple[Criterion, ...] = Field(default=(), max_length=MAX_CRITERIA)
    links: tuple[str, ...] = Field(
        default=(), max_length=50, description="Shown to people and to a planner; never fetched."
    )
    engine: Engine = "auto"
    models: dict[Role, str] = Field(
        default={}, description="`[ENDPOINT/]MODEL` for a role, instead of the configured one."
    )
    by: str = Field(default="", description="Who asked.")
