"""The battery as a command: its rows, its document, and when it is not content."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.cells import BACKENDS, available
from tests.sandbox.table import BREACH, CONTAINED, NOT_AVAILABLE, OPEN, PROVES_NOTHING, SHOWN, Row, table


def battery(only: str) -> tuple[int, dict[str, dict[str, str] | list[dict[str, object]]]]:
    """Exit status and document of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sandbox", "--json", "--only", only],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_row_says_how_it_went_without_a_sandbox_and_with_each() -> None:
    """Backends that are not here are named, with the reason."""
    code, told = battery("connect by TCP")
    outcomes = {name: CONTAINED if name in available() else NOT_AVAILABLE for name in BACKENDS}
    assert (code, told["attacks"]) == (
        0,
        [{"attack": "connect by TCP", "bare": SHOWN, "outcomes": outcomes, "said": {}}],
    )
    assert set(told["levels"]) == set(available())
    assert set(told["not_available"]) == set(BACKENDS) - set(available())


def test_a_pattern_that_names_no_attack_is_no_success() -> None:
    """Nothing was shown."""
    assert battery("no such attack")[0] == 1


@pytest.mark.parametrize(
    ("bare", "outcome", "bad"),
    [
        (SHOWN, CONTAINED, False),
        (SHOWN, OPEN, False),
        (SHOWN, BREACH, True),
        ("not shown: needs root", CONTAINED, False),
        (PROVES_NOTHING, CONTAINED, True),
    ],
)
def test_a_breach_and_an_attack_that_proves_nothing_are_to_be_looked_at(bare: str, outcome: str, bad: bool) -> None:
    """What the level's notes admit is not."""
    assert Row("it", bare, dict.fromkeys(BACKENDS, outcome), {}).bad is bad


def test_the_table_has_what_got_through_and_why_a_backend_is_missing() -> None:
    """In words, below the rows; nothing of it commands the terminal."""
    row = Row("it", SHOWN, {"bubblewrap": NOT_AVAILABLE, "landlock": BREACH, "seccomp": OPEN}, {"landlock": ["a\x1bc"]})
    drawn = table([row], {"landlock": "reduced"}, {"bubblewrap": "it is not installed"}, {"seccomp": ["so it is"]})
    assert "landlock (reduced)" in drawn
    assert "bubblewrap is not available here: it is not installed" in drawn
    assert "BREACH: it with landlock: a\\x1bc" in drawn
    assert "seccomp: so it is" in drawn
