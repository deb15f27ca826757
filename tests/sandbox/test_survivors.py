"""Nothing outlives Podium: whichever of its processes is killed, the job's tree goes with it."""

from __future__ import annotations

import pytest

from tests.sandbox.survivors import KILLS, TOLD, survive


@pytest.mark.parametrize("killed", KILLS)
async def test_killing_ends_the_jobs(backend: str, killed: str) -> None:
    """Daemons included; a specialist that is left gets an error, not a result."""
    kill = KILLS[killed]
    assert await survive(backend, kill) == ("SandboxUnavailable" if kill in TOLD else "")
