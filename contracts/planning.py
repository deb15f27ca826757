"""What a planner answers: what it understood, the files that matter, and the work, item by item."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Model
from contracts.workflow import RelevantFile, WorkItem

MAX_ITEMS = 12


class PlannedWork(Model):
    """A planner's answer; the plan is made from it by code, which checks every name in it."""

    goal: str = Field(min_length=1, max_length=2000, description="What is wanted, in one or two sentences.")
    relevant: tuple[RelevantFile, ...] = Field(default=(), max_length=20, description="Existing files that matter.")
    work: tuple[WorkItem, ...] = Field(min_length=1, max_length=MAX_ITEMS, description="One file each.")
