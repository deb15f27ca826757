"""Quantiles of any number of values from a bounded number of counts. Pure.

A value is counted in the bucket `ceil(log(value) / log(ratio))`, and a quantile is the middle of its bucket, so it is
off by at most `ERROR` of itself (the idea of DDSketch, Masson and others, VLDB 2019).
"""

from __future__ import annotations

import math
from collections import Counter

ERROR = 0.01
"""How far a quantile may be from the value that has that place, relative to it."""

_RATIO = math.log((1 + ERROR) / (1 - ERROR))
_LEAST, _MOST = 1e-3, 1e10
"""In ms: what is beyond counts as if it were this; about 1,500 buckets lie between."""


class Sketch:
    """Counts non-negative values."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.max = 0.0

    def add(self, value: float) -> None:
        """Count one."""
        self._buckets[math.ceil(math.log(min(max(value, _LEAST), _MOST)) / _RATIO)] += 1
        self.count += 1
        self.max = max(self.max, value)

    def quantile(self, q: float) -> float | None:
        """The value below or at which the part `q` of all lie, within `ERROR`; None of none."""
        place, seen = math.ceil(q * self.count), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= place:
                return min(2 * math.exp(bucket * _RATIO) / (math.exp(_RATIO) + 1), self.max)
        return None
