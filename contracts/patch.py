"""A patch: a unified diff and what it claims to change."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from contracts.base import Model, RelPath, Sha256, sha256


class Patch(Model):
    """A unified diff (git's `a/…` `b/…` form), named by the sha256 of its text."""

    diff: str = Field(description="Unified diff, `\\n`-separated; CRLF files keep `\\r` inside the lines.")
    sha256: Sha256
    files: tuple[RelPath, ...] = Field(description="Paths it changes, sorted.")

    @classmethod
    def of(cls, diff: str, files: tuple[RelPath, ...]) -> Self:
        """Name `diff` by its digest."""
        return cls(diff=diff, sha256=sha256(diff.encode()), files=tuple(sorted(files)))
