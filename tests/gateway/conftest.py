"""Both kinds of bus, as for the tests of the bus itself."""

from __future__ import annotations

from tests.bus.conftest import rig

__all__ = ["rig"]
