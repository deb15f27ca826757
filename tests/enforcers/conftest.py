"""Every cell, tried once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest

from tests.enforcers.ground import ground
from tests.enforcers.matrix import cells, tried
from tests.enforcers.seen import Seen


@pytest.fixture(scope="session")
def seen() -> Mapping[str, Seen]:
    """What came of each cell, by its name."""
    with ground() as here:
        found = anyio.run(tried, cells(here), here)
    return {cell.name: one for cell, one in found.items()}
