"""What came of trying one thing at one enforcer, three times over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Way = Literal["granted", "withheld", "removed"]
"""With the scope; without it; without it, and with this one enforcer taken away."""

WAYS: tuple[Way, ...] = ("granted", "withheld", "removed")

HELD, OPEN, PROVES_NOTHING = "held", "OPEN", "proves nothing"


@dataclass(frozen=True)
class Seen:
    """Whether it went through, each way."""

    granted: bool
    withheld: bool
    removed: bool

    @classmethod
    def of(cls, through: dict[Way, Sequence[bool]]) -> Seen:
        """Of several attempts: all have to go through that may, and none that may not."""
        return cls(
            granted=_all(through["granted"]), withheld=any(through["withheld"]), removed=_all(through["removed"])
        )

    @property
    def verdict(self) -> str:
        """What fails without the scope has to work with it, and without the enforcer: else that means nothing."""
        if self.withheld:
            return OPEN
        return HELD if self.granted and self.removed else PROVES_NOTHING


def _all(through: Sequence[bool]) -> bool:
    return bool(through) and all(through)
