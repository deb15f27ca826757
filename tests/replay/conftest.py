"""What the tests of replays share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.replay.kept import KeptStage, make_kept


@pytest.fixture
def kept(tmp_path: Path) -> KeptStage:
    """A stage whose calls stand in the ledger."""
    return make_kept(tmp_path)
