"""Each cell of docs/scopes.md holds by its own enforcer, and by nothing else that was there when it was tried."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from scripts.scopes_page import NOT_HERE
from tests.docs.test_scopes import PAGE
from tests.enforcers.__main__ import main
from tests.enforcers.ground import ground
from tests.enforcers.matrix import cells
from tests.enforcers.seen import HELD, OPEN, PROVES_NOTHING, Seen

with ground() as _here:
    NAMES = [cell.name for cell in cells(_here)]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_scope_opens_is_refused_without_it_by_this_enforcer_alone(name: str, seen: Mapping[str, Seen]) -> None:
    """It goes through with the scope, and goes through without it once this enforcer is taken away."""
    assert seen[name] == Seen(granted=True, withheld=False, removed=True)


def test_every_cell_of_the_page_is_tried() -> None:
    """A token's row stands for several servers, each of which is tried."""
    rows = [row.strip("|\n ").split(" | ") for row in PAGE.read_text(encoding="utf-8").splitlines() if "| `" in row]
    filled = sum(cell != NOT_HERE for row in rows if row[0] != "a token" for cell in row[2:])
    assert filled == sum(not name.startswith("token ") for name in NAMES) > 40
    assert {name.split()[1] for name in NAMES if name.startswith("token ")} == {
        row[1].strip("`") for row in rows if row[0] == "a token"
    }


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (Seen(granted=True, withheld=False, removed=True), HELD),
        (Seen(granted=True, withheld=True, removed=True), OPEN),
        (Seen(granted=True, withheld=False, removed=False), PROVES_NOTHING),
        (Seen(granted=False, withheld=False, removed=True), PROVES_NOTHING),
    ],
)
def test_a_refusal_means_something_only_where_the_same_goes_through_otherwise(seen: Seen, verdict: str) -> None:
    """A cell that fails whatever is done is no proof of its enforcer."""
    assert seen.verdict == verdict


def test_the_command_says_what_came_of_the_cells_that_were_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON for machines; nothing to try is a failure."""
    assert main(["--only", "model * at broker", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert said["cell"] == "model net:model at broker"
    assert said["verdict"] == HELD
    assert main(["--only", "nobody"]) == 1
