"""What the harness has done again and again: runs of a few seconds that pass every crash point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bus.crash import Point
from contracts import diff
from tests.git_project import Project

BROKEN = """def total(prices):
    result = 0
    for price in prices:
        result -= price
    return result
"""
WORSE = BROKEN.replace("-= price", "-= price * 3")
TESTS = """import os

from till import total


def test_total():
    assert total([1, 2]) == 3


def test_nothing_is_free():
    assert total([]) == 0


def test_what_is_armed_is_no_affair_of_sandboxed_code():
    assert not [name for name in os.environ if name.startswith("PODIUM_CRASH")]
"""
TEST = "test_till.py::test_total"
RIGHT = {
    "summary": "Add prices up",
    "blocks": [{"search": "        result -= price\n", "replace": "        result += price\n"}],
}

LONG_ENOUGH = ("--budget-minutes", "60")
"""A budget of time that nothing uses up but a clock that is set."""


@dataclass(frozen=True)
class Scene:
    """A run, and how a person answers where it waits."""

    name: str
    words: tuple[str, ...]
    """Of `podium run fix-bug`, beside project and test."""
    edits: Mapping[str, str] = field(default_factory=dict[str, str])
    """By gate: a diff that is given instead of what is shown; every other gate is approved as it is."""
    by_host: bool = False
    """An MCP host begins it (`tests.survival.host`), and its person answers there."""


SCENES = {
    scene.name: scene
    for scene in (
        Scene("search", ("--engine", "search", "--auto", "all", *LONG_ENOUGH)),
        Scene(
            "edited",
            ("--engine", "search", "--auto", "plan,handoff", *LONG_ENOUGH),
            {"patches-1": diff.make("till.py", BROKEN, WORSE)},
        ),
        Scene("model", ("--engine", "model", "--auto", "all", *LONG_ENOUGH)),
        Scene("host", (), by_host=True),
    )
}

ASKS_AGAIN: Mapping[str, frozenset[Point]] = {
    "model": frozenset(("ask.after", "execute.after", "result.before_store")),
}
"""Where a model server that dies has been answered and has not stored it: no protocol lets it ask for that answer
once more, so that one more question is what honesty allows; it is counted at its worst."""


def plant(root: Path) -> Project:
    """A checkout with the bug in its only commit."""
    project = Project(root)
    files = {
        "till.py": BROKEN,
        "test_till.py": TESTS,
        "pyproject.toml": '[tool.pytest.ini_options]\npythonpath=["."]\n',
    }
    project.commit(dict(files), "As it stands")
    return project
