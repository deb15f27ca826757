"""What the program inside says, checked: anything on the channel may have been written by the code under test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from contracts.base import Model
from contracts.test_runner import TestOutcome
from servers.testing.text import shown

LINE_BYTES = 1 << 20


def _clipped(size: int) -> BeforeValidator:
    return BeforeValidator(lambda value: shown(value[:size]) if isinstance(value, str) else value)


Id = Annotated[str, _clipped(4096)]
Words = Annotated[str, _clipped(20_000)]


class FrameClaim(Model):
    """A traceback's line inside the tree."""

    path: Id
    line: int = Field(ge=1, le=10_000_000)
    function: Id
    text: Annotated[str, _clipped(500)]


class Ready(Model):
    """pytest was imported."""

    kind: Literal["ready"]
    python: Id
    pytest: Id


class Unusable(Model):
    """The interpreter cannot run the tests."""

    kind: Literal["unusable"]
    reason: Words


class Collected(Model):
    """Some of the tests that will run, in order."""

    kind: Literal["collected"]
    ids: tuple[Id, ...]


class CollectError(Model):
    """A file that could not be collected."""

    kind: Literal["collect_error"]
    id: Id
    message: Words
    detail: Words
    frames: tuple[FrameClaim, ...] = Field(max_length=100)


class Started(Model):
    """A test is about to run."""

    kind: Literal["started"]
    id: Id


class Case(Model):
    """A test has ended."""

    kind: Literal["case"]
    id: Id
    outcome: TestOutcome
    duration_s: float = Field(ge=0)
    message: Words
    detail: Words
    frames: tuple[FrameClaim, ...] = Field(max_length=100)


class Finish(Model):
    """pytest ends with this status."""

    kind: Literal["finish"]
    status: int


class Lines(Model):
    """Lines of one file that one test ran, by the test's place among the ended ones."""

    kind: Literal["lines"]
    test: Id
    path: Id
    lines: tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...]


class Trying(Model):
    """A candidate is about to be tried."""

    kind: Literal["trying"]
    id: Id


class Tried(Model):
    """How a candidate did, as far as the fast path can tell; `survived` is only then confirmed or refuted."""

    kind: Literal["tried"]
    id: Id
    outcome: Literal["survived", "failing", "regressed", "hung", "crashed", "invalid"]
    failed: tuple[Id, ...] = Field(default=(), max_length=20)
    cpu_s: float = Field(ge=0)


class Observed(Model):
    """What else a surviving candidate changes."""

    kind: Literal["observed"]
    id: Id
    observed: bool = Field(description="Whether the tests without it could be watched; else the rest says nothing.")
    tests_through: int = Field(ge=0)
    calls_observed: int = Field(ge=0)
    calls_changed: int = Field(ge=0)


class Flaky(Model):
    """Tests that ended in two ways on the same code."""

    kind: Literal["flaky"]
    ids: tuple[Id, ...] = Field(max_length=10_000)


Claim = Annotated[
    Ready | Unusable | Collected | CollectError | Started | Case | Finish | Lines | Trying | Tried | Observed | Flaky,
    Field(discriminator="kind"),
]

_claims: TypeAdapter[Claim] = TypeAdapter(Claim)


def read(line: bytes, token: str) -> Claim | None:
    """A line of the channel, or None for what was not written by our program or is not what it says."""
    head = token.encode() + b" "
    if not line.startswith(head) or len(line) > LINE_BYTES:
        return None
    try:
        return _claims.validate_json(line[len(head) :])
    except ValidationError:
        return None
