"""Both kinds of bus, as for the tests of the bus itself; and hosts of both eras."""

from __future__ import annotations

import pytest
from mcp.client.client import ConnectMode

from orchestrator.gateway import following
from tests.bus.conftest import rig

__all__ = ["rig"]

ERAS: tuple[ConnectMode, ...] = ("auto", "legacy")


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> ConnectMode:
    """A host of today, and one of before."""
    found: ConnectMode = request.param
    return found


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else conducts here, so nobody need be waited for."""
    monkeypatch.setattr(following, "TAKE_UP_S", 0)
    monkeypatch.setattr(following, "RULE_S", 0.05)
