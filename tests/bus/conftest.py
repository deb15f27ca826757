"""Both kinds of bus, for tests that ask for `rig`; `nats` where only the real one will do."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.bus.rigs import MemoryRig, NatsRig, Rig, nats_rig


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncGenerator[NatsRig]:
    async with nats_rig(tmp_path) as made:
        yield made


@pytest.fixture(params=["memory", "nats"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Rig]:
    if request.param == "memory":
        yield MemoryRig()
        return
    async with nats_rig(tmp_path) as made:
        yield made
