"""What a model makes of test and lint results: one of three decisions, nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model, Name


class Guidance(Model):
    """What to change in one item of the plan's work."""

    item: Name = Field(description="Id of the item.")
    guidance: str = Field(min_length=1, max_length=4000, description="What is wrong with it and what to do instead.")


class Judgement(Model):
    """retry: with what to change. accept: the results are as they should be. escalate: a person has to look."""

    decision: Literal["retry", "accept", "escalate"]
    reason: str = Field(min_length=1, max_length=4000)
    changes: tuple[Guidance, ...] = Field(default=(), max_length=20, description="For retry: at least one.")
