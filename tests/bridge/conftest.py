"""Both kinds of bus, a house that stays up, and both eras of the small server."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.bus.conftest import nats, rig
from tests.cli.conftest import fresh, kept

__all__ = ["era", "fresh", "kept", "nats", "rig"]

Era = Literal["old", "new"]


@pytest.fixture(params=["old", "new"])
def era(request: pytest.FixtureRequest) -> Era:
    """A server of the handshake era, and one of 2026-07-28."""
    found: Era = request.param
    return found
