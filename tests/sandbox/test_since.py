"""Which files count as written by a job, when the machine's clock is set while it runs."""

from __future__ import annotations

import pytest

from servers.sandbox.watch import Since


@pytest.mark.parametrize("jump", [0.0, 86_400.0, -86_400.0], ids=["not set", "forward", "back"])
def test_what_is_written_from_now_on_counts_in_whatever_year(jump: float) -> None:
    """Were it left out, a job could fill the disk after its machine's clock was set back."""
    wall, counted = 1_000_000.0, 50.0
    since = Since(lambda: wall, lambda: counted)
    before = wall - 1
    first = wall + 1
    wall, counted = wall + 10 + jump, counted + 10
    second = wall - 1
    assert first >= since.stamp()
    assert second >= since.stamp()
    assert jump < 0 or before < since.stamp()
