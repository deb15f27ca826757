"""What people configure: the crew's grants, and `podium.toml` in a project."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name, RelPath
from contracts.gate_policy import GatePolicy
from contracts.manifest import Scope


class Grant(Model):
    """What one server may do; what is not granted does not exist for it."""

    scopes: tuple[Scope, ...] = ()
    calls: tuple[str, ...] = Field(default=(), description="`server.tool` names it may call.")


class CrewConfig(Model):
    """`configs/crew.toml`: who is in the crew, each with its grant."""

    servers: dict[Name, Grant]


class TestConfig(Model):
    """`[test]`: how this project runs its tests."""

    __test__ = False

    python: str | None = Field(default=None, description="Interpreter that has the project's dependencies.")
    command: tuple[str, ...] = Field(default=(), description="Instead of pytest; it must write JUnit XML.")
    junit: str | None = Field(default=None, description="Where `command` writes its JUnit XML, inside the tree.")


class GatesConfig(Model):
    """`[gates]`: who decides; a word, or a table with the conditions of `auto-if`."""

    plan: GatePolicy | Literal["human", "auto"] | None = None
    patches: GatePolicy | Literal["human", "auto"] | None = None
    handoff: GatePolicy | Literal["human", "auto"] | None = None


class BudgetsConfig(Model):
    """`[budgets]`: ceilings; what is left out stays as the workflow has it."""

    search_s: float | None = Field(default=None, gt=0, le=24 * 3600)
    test_timeout_s: float | None = Field(default=None, gt=0, le=24 * 3600)
    max_proposals: int | None = Field(default=None, ge=1, le=50)
    fix_rounds: int | None = Field(default=None, ge=0, le=10)


class ProjectConfig(Model):
    """`podium.toml` at the root of a person's repository."""

    test: TestConfig = Field(default_factory=TestConfig)
    gates: GatesConfig = Field(default_factory=GatesConfig)
    budgets: BudgetsConfig = Field(default_factory=BudgetsConfig)
    avoid: tuple[RelPath, ...] = Field(default=(), description="Path prefixes no patch may change.")
