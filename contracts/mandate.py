"""What a run's members may do on its behalf."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model, Name


class Mandate(Model):
    """Who may call what for one run, while it is under way; whoever is not listed may call nothing for it."""

    calls: dict[Name, tuple[str, ...]] = Field(description="By caller: `server.tool`, or `server.*`.")
