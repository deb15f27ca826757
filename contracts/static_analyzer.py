"""static_analyzer: findings, fixes and formatting by linters, in the sandbox."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, RelPath, RunId
from contracts.sandbox import SandboxReport


class CheckParams(Model):
    """Check files of the run's tree."""

    run: RunId
    paths: tuple[RelPath, ...] = Field(default=(), description="Empty means the whole tree.")


class Finding(Model):
    """One finding; the fields follow SARIF 2.1.0 `result` (ruleId, level, message, region)."""

    rule: str
    level: Literal["error", "warning", "note"]
    message: str
    path: RelPath
    line: int = Field(ge=1)
    column: int = Field(ge=1, description="In characters.")


class CheckResult(Model):
    """Findings in path and line order."""

    tool: str
    findings: tuple[Finding, ...] = Field(max_length=5000)
    total: int = Field(description="How many there are; the first 5000 are listed.")
    sandbox: SandboxReport


class FixParams(Model):
    """Let the linter fix what it can without changing what the code does."""

    run: RunId
    paths: tuple[RelPath, ...] = Field(default=(), description="Empty means the whole tree.")


class FormatParams(Model):
    """Format files."""

    run: RunId
    paths: tuple[RelPath, ...] = Field(min_length=1)


class EditResult(Model):
    """The change as a unified diff; nothing was written. Empty when there is nothing to change."""

    diff: str
    files: tuple[RelPath, ...]
    sandbox: SandboxReport
