"""What the host asks of the program inside: one JSON document on its standard input.

The host builds these with `dumps`, the program reads them with `load`; fields are plain JSON types.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Splice:
    """Characters `start` up to `end` of a file give way to `text`; `delete` removes the file."""

    path: str
    start: int = 0
    end: int = 0
    text: str = ""
    delete: bool = False

    def apply(self, old: str) -> str:
        """The file's text afterwards."""
        return old[: self.start] + self.text + old[self.end :]


@dataclass(frozen=True)
class Trial:
    """One candidate: its edits, made together."""

    id: str
    splices: list[Splice]


def _no_tests() -> list[str]:
    return []


def _no_trials() -> list[Trial]:
    return []


@dataclass(frozen=True)
class Request:
    """`verb` is `run`, `trace` or `try`."""

    verb: str
    token: str
    """Opens every line of the result channel, so that stray writes to it are told from results."""
    root: str
    """The scratch copy of the tree."""
    config: str = ""
    """The file in it that configures pytest; empty: pytest looks for one."""
    tests: list[str] = field(default_factory=_no_tests)
    """Node ids to run; for `trace` and `try` the failing ones."""
    test_cpu_s: float = 0.0
    """CPU seconds one test may take before it is failed; 0 for no limit."""
    past_errors: bool = False
    """Go on with the rest when some file cannot be collected."""
    quiet: bool = False
    """Nothing is printed for people: with some plugins the summary takes longer than the tests."""
    budget_s: float = 0.0
    trials: list[Trial] = field(default_factory=_no_trials)
    flaky: list[str] = field(default_factory=_no_tests)
    """Tests whose outcome says nothing of a candidate."""


def dumps(request: Request) -> bytes:
    """The document."""
    return json.dumps(asdict(request)).encode()


def load(document: bytes) -> Request:
    """Read the document back."""
    raw: dict[str, Any] = json.loads(document)
    trials = [Trial(each["id"], [Splice(**one) for one in each["splices"]]) for each in raw.pop("trials")]
    return Request(trials=trials, **raw)
