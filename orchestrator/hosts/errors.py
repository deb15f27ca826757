"""Why a host's configuration was left as it is."""

from __future__ import annotations

from orchestrator.errors import OrchestratorError


class EditError(OrchestratorError):
    """The text cannot be edited without a risk to what is in it. Nothing was written."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Malformed(EditError):
    """The text is not what its format says, so its host cannot read it either."""


def malformed(text: str, offset: int, what: str) -> Malformed:
    """A `Malformed` that says where: line and column count from 1."""
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return Malformed(f"line {line}, column {column}: {what}")
