"""Human rework: how far the code that was merged is from the code that was handed over."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from contracts.base import Model, RunId

MINOR = 0.25
"""Up to this share of the handed-over lines, rework is minor; above, it is major."""

Degree = Literal["none", "minor", "major"]
DEGREES: tuple[Degree, ...] = get_args(Degree)
"""From little to much."""


def degree(handed: int, reworked: int, rearranged: int) -> Degree:
    """In words: none where every line stands as it was handed over; lines that are only rearranged are minor."""
    if not reworked:
        return "minor" if rearranged else "none"
    return "minor" if reworked <= MINOR * handed else "major"


class FileRework(Model):
    """One file of the handed-over change."""

    path: str
    merged_as: str = Field(description="Its path in the merged commit; empty where it has none.")
    handed_lines: int = Field(description="Lines the change touches: not blank, a line in place of another once.")
    reworked_lines: int = Field(description="Of those, gone, altered or taken back, or split by lines of others.")
    rearranged_lines: int = Field(description="Of those, only indented, wrapped or quoted otherwise, or moved.")


class Rework(Model):
    """How far a run's result was changed before or while it was merged."""

    run: RunId
    handed_over: str = Field(description="The run's head.")
    merged: str = Field(description="The full name of the commit.")
    degree: Degree
    share: float = Field(description="Reworked lines over handed-over lines, 0 to 1.")
    handed_lines: int
    reworked_lines: int
    rearranged_lines: int
    files: tuple[FileRework, ...]
