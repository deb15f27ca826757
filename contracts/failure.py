"""How a failure is said: what happened, whether to try again, and the way out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.base import Model
from contracts.spending import Spending

FailureKind = Literal[
    "invalid",  # the request itself is wrong; the same request fails again
    "not_found",  # what it names does not exist
    "denied",  # not granted
    "conflict",  # the state it assumed has moved on
    "unavailable",  # something needed is not there now
    "timeout",  # a deadline passed
    "limit",  # a size or count was reached
    "budget",  # it could cost more than the run, or this agent of it, may spend; it was not made
    "internal",  # a defect of ours
]


class Failure(Model):
    """A failed call, as it is stored in the ledger and shown to people."""

    kind: FailureKind
    message: str = Field(description="What was expected and what was found.")
    retry: bool = Field(default=False, description="Whether the same call may succeed later.")
    way_out: str = Field(default="", description="What a person can do about it.")
    spent: Spending | None = Field(default=None, description="What it cost all the same, where it asked a model.")

    def __str__(self) -> str:
        return told(self.message, self.way_out)


def told(message: str, way_out: str) -> str:
    """Both in one line of prose; a message alone stays as it is."""
    return f"{sentence(message)} {way_out}".strip() if way_out else message


def sentence(text: str) -> str:
    """`text` with a full stop, unless it ends as a sentence already or is empty."""
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."
